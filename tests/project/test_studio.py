"""The studio and the page with players, without a browser."""

from __future__ import annotations

import json
import random
import re
import shlex
import string
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from audiocache import CacheConfig, MultiTierAudioCache
from project.studio.told import as_curl, money, why_not
from project.studio.views import POLICY
from tests.tts.doubles import LocalStub
from tts.api.problems import TABLE
from tts.api.schema import check
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest, NotAudio, ProviderDown, ProviderError, TTSError
from tts.service import TTSService, set_tts_service
from tts.speech import Speech, SpeechRequest

TEXT = 'Tom & Jerry\'s "ferry" $HOME `id`'


@pytest.fixture
def provider() -> LocalStub:
    return LocalStub(TTSConfig())


@pytest.fixture
def service(settings: Any, provider: LocalStub) -> Iterator[TTSService]:
    """While DEBUG is on."""
    settings.DEBUG = True
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    former = set_tts_service(service)
    yield service
    set_tts_service(former)
    cache.close()


def speak(**form: Any) -> Any:
    return Client().post("/studio/speak", {"text": TEXT, "audio_format": "wav", **form})


def test_the_page_offers_what_the_provider_has(service: TTSService) -> None:
    response = Client().get("/")
    page = response.content.decode()
    for shown in ('<option value="bass">', '<option value="wav">', 'type="range"', "Good morning"):
        assert shown in page
    assert '<option value="pcm">' not in page
    assert "csrfmiddlewaretoken" in page
    assert response["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize("address", ["/", "/reading"])
def test_no_page_has_anything_inline_or_from_outside(service: TTSService, address: str) -> None:
    page = Client().get(address).content.decode()
    assert not re.search(r"https?://|\son\w+=|\sstyle=|<style|<script>", page)


def test_it_speaks_and_tells_who_answered(service: TTSService, provider: LocalStub) -> None:
    first, second = speak(), speak()
    assert [first.json()["tier"], second.json()["tier"]] == ["provider", "memory"]
    assert first["Cache-Status"] == first.json()["cacheStatus"]
    assert re.fullmatch(r"audiocache;desc=memory;dur=[\d.]+", second["Server-Timing"])
    sound = Client().get(second.json()["url"])
    assert (sound.status_code, len(sound.content)) == (200, first.json()["bytes"])
    assert len(provider.calls) == 1


def test_voice_and_speed_are_the_provider_s(service: TTSService, provider: LocalStub) -> None:
    assert speak(voice="bass", speed="1.5").status_code == 200
    assert [(call.voice, call.speed) for call in provider.calls] == [("bass", 1.5)]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"text": " "}, "text"),
        ({"text": "x" * 5000}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"voice": "nobody"}, "voice"),
        ({"audio_format": "pcm"}, "audio_format"),
        ({"speed": "nan"}, "speed"),
        ({"speed": "9"}, "speed"),
    ],
)
def test_what_is_wrong_is_named(service: TTSService, form: dict[str, str], field: str) -> None:
    response = speak(**form)
    assert (response.status_code, response.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (ProviderDown, "The provider did not speak."),
        (NotAudio, "No sound came of it: is there anything to say in the text?"),
    ],
)
def test_a_provider_in_trouble_is_a_sentence(
    service: TTSService, provider: LocalStub, kind: type[ProviderError], sentence: str
) -> None:
    provider.error = kind(f"about {TEXT}")
    response = speak()
    assert response.status_code == 503
    assert response.json() == {"error": sentence}


@pytest.mark.parametrize("kind", [kind for kind in TABLE if issubclass(kind, TTSError)])
def test_whatever_goes_wrong_is_a_sentence(kind: type[TTSError]) -> None:
    sentence = why_not(kind("x", "y") if kind is InvalidSpeechRequest else kind("x"))
    assert re.fullmatch(r"[A-Z].*[a-z][.?]", sentence)
    assert kind.__name__ not in sentence


@pytest.mark.django_db
def test_in_production_it_is_for_staff(service: TTSService, settings: Any) -> None:
    settings.DEBUG = False
    set_tts_service(service)  # another setting gives it up
    assert Client().get("/")["Location"].startswith("/admin/login/")
    assert speak().status_code == 403
    client = Client()
    client.force_login(User.objects.create_user("visitor"))
    assert client.get("/").status_code == 302
    client.force_login(User.objects.create_user("editor", is_staff=True))
    assert client.get("/").status_code == 200
    assert client.post("/studio/speak", {"text": TEXT, "audio_format": "wav"}).status_code == 200


def test_nobody_speaks_from_another_site(service: TTSService) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post("/studio/speak", {"text": TEXT}).status_code == 403


def test_curl_says_the_same_to_a_shell(service: TTSService) -> None:
    line = as_curl(service, SpeechRequest(TEXT, voice="bass"), "http://site.example")
    words = shlex.split(line)
    assert words[:2] == ["curl", "http://site.example/v1/audio/speech"]
    body = json.loads(words[words.index("-d") + 1])
    assert (body["input"], body["voice"], body["response_format"]) == (TEXT, "bass", "wav")


def test_curl_names_formats_as_the_api_does() -> None:
    service = TTSService(TTSConfig(provider="elevenlabs", api_key="k"))
    line = as_curl(service, SpeechRequest(TEXT), "http://site.example")
    body = json.loads((words := shlex.split(line))[words.index("-d") + 1])
    check(body)
    assert (body["response_format"], words[-1]) == ("mp3", "speech.mp3")


def test_what_has_no_address_is_not_paid_for(service: TTSService, provider: LocalStub) -> None:
    noise = "".join(random.Random(1).choices(string.ascii_letters, k=4000))
    response = speak(text=noise)
    assert (response.status_code, response.json()["field"]) == (400, "text")
    assert not provider.calls


@pytest.mark.parametrize(
    ("cost", "tier", "said"),
    [
        (None, "memory", "its price is not known"),
        (0, "memory", "costs nothing: the voice is this machine's own"),
        (1500, "origin", "cost 0.0015 USD"),
        (2_000_000, "memory", "saved 2 USD"),
    ],
)
def test_money(service: TTSService, cost: int | None, tier: str, said: str) -> None:
    entry = service.synthesize_sync(SpeechRequest(TEXT)).entry
    assert money(Speech(entry._replace(cost=cost, tier=tier))) == said


def test_the_page_with_players_asks_nobody(service: TTSService, provider: LocalStub) -> None:
    page = Client().get("/reading").content.decode()
    urls = re.findall(r'src="(/audio/[^"]+)"', page)
    assert len(urls) == 3
    assert not provider.calls
    assert Client().get(urls[0]).status_code == 200
