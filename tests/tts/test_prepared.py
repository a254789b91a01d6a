"""A request that was prepared once is not checked or hashed again."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from tts import prepared as prepared_module
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.prepared import MAX_TEXT, PreparedRequests
from tts.providers.base import Provider
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest


class Lenient(ToneProvider):
    """Takes what is no number for its option, as a site's own may."""

    complete_options = Provider.complete_options


class Counting:
    def __init__(self) -> None:
        self.calls = 0
        self.provider = Lenient(TTSConfig())

    def __call__(self, request: SpeechRequest) -> SpeechRequest:
        self.calls += 1
        return self.provider.complete(request)


@pytest.fixture
def complete() -> Counting:
    return Counting()


@pytest.fixture
def requests(complete: Counting) -> PreparedRequests:
    return PreparedRequests(complete)


def test_equal_requests_are_prepared_once(complete: Counting, requests: PreparedRequests) -> None:
    first = requests.of(SpeechRequest("Hello"), "")
    assert requests.of(SpeechRequest("Hello"), "") is first
    assert first.request.is_complete
    assert first.clip == first.request.clip()
    assert complete.calls == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [({"speed": 1}, {"speed": True}), ({"ssml": False}, {"ssml": 0}), ({}, {"voice": ["x"]})],
)
def test_what_is_equal_but_wrong_is_still_refused(
    requests: PreparedRequests, one: dict[str, Any], other: dict[str, Any]
) -> None:
    requests.of(SpeechRequest("Hello", **one), "")
    with pytest.raises(InvalidSpeechRequest):
        requests.of(SpeechRequest("Hello", **other), "")


def test_options_are_told_apart_by_kind_and_as_they_were(
    complete: Counting, requests: PreparedRequests
) -> None:
    request = SpeechRequest("Hello", options={"transpose": 1})
    first = requests.of(request, "")
    assert requests.of(SpeechRequest("Hello", options={"transpose": 1}), "") is first
    assert requests.of(SpeechRequest("Hello", options={"transpose": True}), "") is not first
    request.options["transpose"] = 2
    assert requests.of(SpeechRequest("Hello", options={"transpose": 2}), "") is not first
    assert complete.calls == 3


def test_empty_options_are_remembered_and_told_apart_by_kind(
    complete: Counting, requests: PreparedRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are what some providers complete a request with."""
    monkeypatch.setattr(ToneProvider, "default_options", {"said": None})
    empty: list[Any] = [[], {}, None]
    for said in empty:
        first = requests.of(SpeechRequest("Hello", options={"said": said}), "")
        assert requests.of(SpeechRequest("Hello", options={"said": said}), "") is first
    assert complete.calls == 3


def test_namespaces_are_told_apart(requests: PreparedRequests) -> None:
    request = SpeechRequest("Hello")
    assert requests.of(request, "a").clip.key != requests.of(request, "b").clip.key


@pytest.mark.parametrize(
    "request_",
    [
        SpeechRequest("Hello", options={"transpose": [1]}),
        SpeechRequest("Hello", options={"transpose": "x" * 100}),
        SpeechRequest("x" * (MAX_TEXT + 1)),
        SpeechRequest(gettext_lazy("Hello")),  # type: ignore[arg-type]
    ],
    ids=["nested options", "long option", "long", "lazy"],
)
def test_some_requests_are_prepared_each_time(
    complete: Counting, requests: PreparedRequests, request_: SpeechRequest
) -> None:
    assert requests.of(request_, "") == requests.of(request_, "")
    assert complete.calls == 2


def test_it_never_grows_beyond_its_limit(
    requests: PreparedRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared_module, "MAX_REQUESTS", 10)
    for number in range(35):
        requests.of(SpeechRequest(f"Number {number}"), "")
    gc.collect()
    assert len(requests._known) <= 10
