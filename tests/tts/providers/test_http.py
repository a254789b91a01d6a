"""The template of all vendors: the shared meaning of a status, sizes, what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tts.vendors.server import Reply, Server, as_json
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import (
    ContentRefused,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechNotConfigured,
    WrongKey,
)
from tts.providers.calls import HttpCall
from tts.providers.http import MAX_ANSWER, HttpProvider
from tts.speech import SpeechRequest

TEXT = "The bakery opens at six."


class PlainProvider(HttpProvider):
    """The least that a vendor is."""

    name = "plain"
    default_base_url = "https://vendor.invalid"
    billed_header = "x-billed"
    formats = ("mp3", "wav")
    default_format = "mp3"
    native_format = "wav"
    max_text = 1_000_000

    def call(self, request: SpeechRequest) -> HttpCall:
        return HttpCall(f"{self.base_url}/say", json={"text": request.text})


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Reply(body=b"sound")) as server:
        yield server


@pytest.fixture
def provider(server: Server) -> Iterator[PlainProvider]:
    provider = PlainProvider(TTSConfig(api_key="k", base_url=server.url))
    yield provider
    provider.close()


def speak(provider: PlainProvider) -> Any:
    request = provider.complete(SpeechRequest(TEXT))
    return provider.synthesize(request.spoken(), Deadline.after(5))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, RequestRefused),
        (304, RequestRefused),
        (400, RequestRefused),
        (401, WrongKey),
        (402, QuotaSpent),
        (403, WrongKey),
        (404, RequestRefused),
        (408, RequestRefused),
        (409, RequestRefused),
        (422, RequestRefused),
        (429, RateLimited),
        (451, ContentRefused),
        (500, ProviderDown),
        (504, ProviderDown),
        (529, ProviderDown),
        (599, ProviderDown),
    ],
)
def test_a_status_has_one_meaning(
    provider: PlainProvider, server: Server, status: int, kind: type[ProviderError]
) -> None:
    server.behave = as_json(status, {"error": TEXT}, **{"Retry-After": "7", "x-request-id": "r-1"})
    with pytest.raises(ProviderError) as caught:
        speak(provider)
    error = caught.value
    assert type(error) is kind
    assert str(error) == f"plain: HTTP {status}"
    assert (error.provider, error.status, error.retry_after) == ("plain", status, 7)
    assert error.request_id == "r-1"


@pytest.mark.parametrize("name", ["", "a b", "x" * 200, "<script>"])
def test_a_request_id_is_a_word(provider: PlainProvider, server: Server, name: str) -> None:
    server.behave = Reply(500, headers={"x-request-id": name})
    with pytest.raises(ProviderDown) as caught:
        speak(provider)
    assert caught.value.request_id == ""


@pytest.mark.parametrize(("value", "units"), [("31", 31), ("", len(TEXT)), ("many", len(TEXT))])
def test_what_is_billed_is_told_or_counted(
    provider: PlainProvider, server: Server, value: str, units: int
) -> None:
    server.behave = Reply(body=b"sound", headers={"x-billed": value})
    assert speak(provider).billed_units == units


def test_an_answer_has_a_plausible_size(provider: PlainProvider) -> None:
    def most(text: str, audio_format: str) -> int:
        request = provider.complete(SpeechRequest(text, audio_format=audio_format))
        return provider.max_answer(request)

    assert 500_000 < most("Yes.", "mp3") < 1_000_000
    assert most("Yes.", "mp3") < most("Yes.", "wav") < 5_000_000
    assert most("word " * 100_000, "wav") == MAX_ANSWER


def test_a_base_url_may_end_in_a_slash(server: Server) -> None:
    provider = PlainProvider(TTSConfig(api_key="k", base_url=f"{server.url}/api//"))
    speak(provider)
    assert server.heard[0].path == "/api/say"
    provider.close()


def test_a_missing_key_names_its_setting() -> None:
    with pytest.raises(SpeechNotConfigured, match="TTS_API_KEY is not set: plain"):
        PlainProvider(TTSConfig())


def test_a_missing_extra_is_one_sentence() -> None:
    """In a process that has no requests."""
    script = """
import sys
sys.modules["requests"] = None
import importlib.util, django
from django.conf import settings
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "requests" else find(name, *a)
settings.configure(INSTALLED_APPS=[])
from tts.conf import TTSConfig
from tts.providers import build_provider
from tts.providers.base import MissingExtra
for name in ("elevenlabs", "openai"):
    try:
        build_provider(TTSConfig(provider=name, api_key="k"))
    except MissingExtra as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.stderr == ""
    assert run.stdout.count("pip install 'django-audiocache[tts]'") == 2
