"""An error of a provider, as another process gets it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tts.api.problems import meaning_of
from tts.exceptions import (
    BreakerOpen,
    NotAudio,
    ProviderError,
    QuotaSpent,
    RateLimited,
    WrongKey,
)
from tts.sharing import pack, sharing_of, unpack


class OwnError(QuotaSpent):
    """Of a provider that others wrote."""


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow down", provider="openai", status=429, retry_after=2.5),
        WrongKey("no key", provider="openai", status=401, request_id="req_1"),
        ProviderError("it failed"),
    ],
)
def test_it_is_the_same_error(error: ProviderError) -> None:
    again = unpack(pack(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_refusal_says_until_when() -> None:
    error = NotAudio("silence", provider="openai")
    error.since = datetime(2026, 5, 1, tzinfo=UTC)
    again = unpack(pack(error))
    assert isinstance(again, NotAudio)
    assert (again.since, again.until) == (error.since, None)


def test_an_open_breaker_says_what_opened_it() -> None:
    error = BreakerOpen("not asked", provider="openai", status=402, retry_after=20)
    error.kind = "quota_spent"
    again = unpack(pack(error))
    assert vars(again) == vars(error)
    assert meaning_of(again) == meaning_of(error)
    assert meaning_of(again).code == "provider_quota_spent"


def test_an_error_of_a_providers_own_is_the_kind_that_it_is() -> None:
    assert type(unpack(pack(OwnError("spent", status=402)))) is QuotaSpent


def test_of_any_other_error_nothing_but_its_class_is_told() -> None:
    packed = pack(KeyError("a secret text"))
    assert "secret" not in packed
    error = unpack(packed)
    assert type(error) is ProviderError
    assert str(error) == "it failed in another process: KeyError"


def test_a_long_message_is_cut() -> None:
    assert len(str(unpack(pack(ProviderError("a" * 10_000))))) == 500


@pytest.mark.parametrize("told", ["", "[]", "no json", "7", json.dumps({"kind": "datetime"})])
def test_what_a_later_release_may_say_is_an_error_too(told: str) -> None:
    assert type(unpack(told)) is ProviderError


def test_what_is_made_in_this_process_asks_no_other() -> None:
    sharing = sharing_of(remote=False, timeout=5, lane="espeak")
    assert (sharing.leased, sharing.lane) == (False, "espeak")
    assert sharing_of(remote=True, timeout=5).seconds > 5
