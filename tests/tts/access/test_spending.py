"""A limited caller's day: given back where nothing was paid, whatever went wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.test import AsyncClient, Client

from tests.tts.doubles import StubProvider
from tts.access.callers import SPEECH, Caller
from tts.access.models import ApiKey
from tts.access.spending import Spending
from tts.exceptions import NoPlace, SpeechTimeout
from tts.providers.base import MissingExtra
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.wishes import Wishes

TEXT = "ten chars!"


@pytest.fixture
def key(db: None) -> ApiKey:
    key = ApiKey(name="shop", daily_characters=100)
    key.token = key.issue()  # type: ignore[attr-defined]
    return key


def post(client: Any, key: ApiKey) -> Any:
    body = {"model": "stub", "voice": "alto", "input": TEXT, "response_format": "wav"}
    given = {"Authorization": f"Bearer {key.token}"}  # type: ignore[attr-defined]
    return client.post(
        "/v1/audio/speech", json.dumps(body), content_type="application/json", headers=given
    )


def used(key: ApiKey) -> int:
    key.refresh_from_db()
    return key.used


def spending(service: TTSService, key: ApiKey, wishes: Wishes | None = None) -> Spending:
    caller = Caller("shop", scopes=frozenset({SPEECH}), key_id=key.pk, is_limited=True)
    prepared = service.prepared(SpeechRequest(TEXT), "")
    return Spending(caller, service, prepared, wishes or Wishes())


@pytest.mark.parametrize("error", [MissingExtra("tenacity is missing"), KeyError("a bug")])
def test_no_error_keeps_what_nothing_was_paid_for(
    installed: TTSService, provider: StubProvider, key: ApiKey, error: Exception
) -> None:
    provider.error = error
    assert post(Client(raise_request_exception=False), key).status_code >= 500
    assert provider.calls
    assert used(key) == 0


@pytest.mark.django_db(transaction=True)
def test_nor_on_a_loop(installed: TTSService, provider: StubProvider, key: ApiKey) -> None:
    provider.error = KeyError("a bug")
    asyncio.run(post(AsyncClient(raise_request_exception=False), key))
    assert provider.calls
    assert used(key) == 0


@pytest.mark.parametrize(
    ("error", "kept"), [(NoPlace("nobody was called"), 0), (SpeechTimeout("it goes on"), 10)]
)
def test_a_call_that_goes_on_is_taken_to_be_paid_for(
    service: TTSService, key: ApiKey, error: Exception, kept: int
) -> None:
    taken = spending(service, key)
    taken.begin()
    assert used(key) == len(TEXT)
    taken.fail(error)
    assert used(key) == kept


@pytest.mark.parametrize("anew", [True, False])
def test_what_may_not_be_made_takes_nothing(service: TTSService, key: ApiKey, anew: bool) -> None:
    wishes = Wishes(no_cache=anew, no_store=not anew, only_if_cached=True)
    spending(service, key, wishes).begin()
    assert used(key) == 0
