"""Addresses of speech: sealed, the same for the same request, made without a query."""

from __future__ import annotations

import base64
import dataclasses
import string
import sys
import time
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils.crypto import get_random_string
from hypothesis import given
from hypothesis import strategies as st

from tts.addresses import NoSuchAddress, _read, _seal, addressed_by, name_of, url_of
from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.providers import build_provider
from tts.providers.base import MissingExtra
from tts.providers.tone import ToneProvider
from tts.service import TTSService
from tts.speech import SpeechRequest

SECRET = "The quick brown secret"
ALPHABET = string.ascii_letters + string.digits + "-_"
TONE = ToneProvider(TTSConfig())


def complete(text: str = SECRET, **fields: Any) -> SpeechRequest:
    return TONE.complete(SpeechRequest(text, **fields))


def parts(url: str) -> tuple[str, str]:
    name, extension = url.removeprefix("/audio/").rsplit(".", 1)
    return name, extension


def raw(name: str) -> bytes:
    return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4))


@given(st.text(st.characters(exclude_categories=["C"]), max_size=300).filter(str.strip))
def test_what_is_sealed_is_opened(text: str) -> None:
    name = name_of(complete(text), "wav", namespace="tenant", until=2_000_000_000)
    opened = addressed_by(name, "wav")
    assert TONE.complete(opened.request).key == complete(text).key
    assert opened[1:] == ("tone", "tenant", 2_000_000_000)


@pytest.mark.parametrize(
    ("config", "fields"),
    [
        (TTSConfig(provider="espeak"), {"voice": "de", "speed": 1.25}),
        (TTSConfig(provider="espeak"), {"audio_format": "mp3"}),
        (TTSConfig(provider="espeak"), {"audio_format": "pcm_24000"}),
        (TTSConfig(provider="openai", api_key="k", model="m"), {"instructions": "Softly."}),
        (TTSConfig(provider="elevenlabs", api_key="k"), {"options": {"previous_text": "So."}}),
        (TTSConfig(provider="azure", api_key="k", region="westeurope"), {}),
        (TTSConfig(provider="polly", region="eu-west-1"), {"ssml": False}),
        (TTSConfig(provider="google", api_key="k"), {"language": "de-DE"}),
    ],
)
def test_what_every_provider_completes_is_the_same_again(
    config: TTSConfig, fields: dict[str, Any]
) -> None:
    provider = build_provider(config)
    request = provider.complete(SpeechRequest(SECRET, **fields))
    opened = addressed_by(name_of(request, "x"), "x")
    assert provider.complete(opened.request).key == request.key


def test_an_address_is_the_same_sound_whatever_becomes_the_default() -> None:
    vendor: dict[str, Any] = {"provider": "elevenlabs", "api_key": "k"}
    later: dict[str, Any] = {
        "language": "de",
        "voice_revision": "2",
        "options": {"seed": 7},
        "voice": "v2",
    }
    now, then = (build_provider(TTSConfig(**vendor | more)) for more in ({}, later))
    request = now.complete(SpeechRequest(SECRET))
    opened = addressed_by(name_of(request, "mp3"), "mp3").request
    again = then.complete(opened)
    assert (again.key, again.options) == (request.key, request.options)
    service = TTSService(TTSConfig(**vendor | later), provider=then)
    plain = dataclasses.replace(opened)  # the same fields, and not complete
    assert service.prepared(plain, "").clip.key != request.key
    assert service.prepared(opened, "").clip.key == request.key


def test_the_same_sound_has_the_same_address(service: TTSService) -> None:
    url = url_of(service, SpeechRequest(SECRET))
    assert url_of(service, SpeechRequest(f"  {SECRET.replace(' ', '  ')}\n", speed=1.0)) == url
    others = (SpeechRequest(SECRET, speed=1.5), SpeechRequest(SECRET.upper()))
    assert len({url, *(url_of(service, other) for other in others)}) == 3


def test_law_11_no_address_shows_its_text(service: TTSService) -> None:
    url = url_of(service, SpeechRequest(SECRET))
    sealed = raw(parts(url)[0])
    for word in SECRET.split():
        assert word not in url
        assert word.encode() not in sealed


@pytest.mark.django_db(databases=["default", "audiocache"])
def test_fifty_addresses_ask_nobody(service: TTSService) -> None:
    with (
        CaptureQueriesContext(connections["default"]) as site,
        CaptureQueriesContext(connections["audiocache"]) as clips,
    ):
        urls = {url_of(service, SpeechRequest(f"player {number}")) for number in range(50)}
    assert (len(urls), len(site), len(clips)) == (50, 0, 0)
    assert not service.provider.calls  # type: ignore[attr-defined]


def test_no_other_name_is_accepted() -> None:
    name = name_of(complete(), "wav")
    for place in range(len(name)):
        for other in {ALPHABET[0], ALPHABET[-1], get_random_string(1, ALPHABET)} - {name[place]}:
            with pytest.raises(NoSuchAddress):
                addressed_by(name[:place] + other + name[place + 1 :], "wav")


def test_the_bits_behind_the_last_byte_are_part_of_the_name() -> None:
    names = [name_of(complete("x" * size), "wav") for size in range(1, 4)]
    for name in names:
        twins = {name[:-1] + last for last in ALPHABET} - {name}
        same = [twin for twin in twins if raw(twin) == raw(name)]
        for twin in same:
            with pytest.raises(NoSuchAddress):
                addressed_by(twin, "wav")


@pytest.mark.parametrize("name", ["", "a", "A" * 15, "A" * 400, "-", "\u0661" * 40, "A" * 40 + "="])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(NoSuchAddress):
        addressed_by(name, "wav")


def test_the_extension_belongs_to_the_name() -> None:
    name = name_of(complete(), "wav")
    with pytest.raises(NoSuchAddress):
        addressed_by(name, "mp3")


def test_another_site_cannot_open_it_and_a_new_key_can(settings: Any) -> None:
    name = name_of(complete(), "wav")
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
    with pytest.raises(NoSuchAddress):
        addressed_by(name, "wav")
    settings.SECRET_KEY_FALLBACKS = [former]
    assert addressed_by(name, "wav").request.text == SECRET


def test_without_the_extra_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = name_of(complete(), "wav")
    for forget in (_seal, _read):
        forget.cache_clear()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    for act in (lambda: name_of(complete(), "wav"), lambda: addressed_by(name, "wav")):
        with pytest.raises(MissingExtra, match=r"pip install 'django-audiocache\[web\]'"):
            act()


def test_an_end_of_life(service: TTSService) -> None:
    now = time.time()
    url = url_of(service, SpeechRequest(SECRET), expires_in=80, clock=lambda: now)
    assert addressed_by(*parts(url), clock=lambda: now + 79).request.text == SECRET
    with pytest.raises(NoSuchAddress):
        addressed_by(*parts(url), clock=lambda: now + 92)


def test_addresses_of_one_moment_are_one(service: TTSService) -> None:
    clock = iter(range(1001, 1801)).__next__
    urls = {url_of(service, SpeechRequest(SECRET), expires_in=800, clock=clock) for _ in range(800)}
    assert len(urls) == 8


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_life_is_a_number_above_zero(service: TTSService, seconds: float) -> None:
    with pytest.raises(ValueError, match="expires_in"):
        url_of(service, SpeechRequest(SECRET), expires_in=seconds)


def test_a_text_too_long_for_a_request_line(service: TTSService) -> None:
    with pytest.raises(InvalidSpeechRequest, match="too long for an address"):
        url_of(service, SpeechRequest(get_random_string(4000)))
    prose = "Please keep your ticket, and mind the gap between the train and the platform. "
    assert len(url_of(service, SpeechRequest(prose * 25))) < 1000
