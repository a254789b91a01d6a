"""Other providers speak when the first one cannot, under their own names."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from audiocache import MultiTierAudioCache
from audiocache.workers import MAX_THREADS
from tests.tts.outages.conftest import TEXT, Speak, asking, listener, openai_fallback, speaker
from tests.tts.vendors import elevenlabs, openai
from tests.tts.vendors.misbehaving import silence
from tests.tts.vendors.server import Behaviour, Heard, Reply, Server
from tts.conf import TTSConfig
from tts.exceptions import (
    ContentRefused,
    InvalidSpeechRequest,
    NotAudio,
    ProviderError,
    QuotaSpent,
    RequestRefused,
    SpeechTimeout,
)
from tts.providers import build_provider
from tts.retry import without_waits
from tts.rewording import reworded
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest

DOWN = Reply(503)
SPENT = elevenlabs.refusal(401, "quota_exceeded")


@pytest.fixture
def other() -> Iterator[Server]:
    """OpenAI."""
    with openai.server() as server:
        yield server


@pytest.fixture
def service(server: Server, other: Server, cache: MultiTierAudioCache) -> Iterator[TTSService]:
    """ElevenLabs, then OpenAI, then this machine."""
    config = asking(server, fallbacks=[openai_fallback(other), "espeak"])
    service = TTSService(config, cache=cache)
    with without_waits():
        yield service
    service.close()


@pytest.mark.parametrize(
    "failure", [SPENT, DOWN, Reply(429), elevenlabs.refusal(401, "invalid_api_key"), Reply()]
)
def test_the_next_one_speaks_and_says_so(
    speak: Speak, server: Server, other: Server, failure: Behaviour
) -> None:
    first = speak()
    assert (first.provider, first.fallback) == ("elevenlabs", False)
    server.behave = failure
    speech = speak("The bridge is closed.")
    assert (speech.provider, speech.fallback, speech.tier) == ("openai", True, "provider")
    assert speech.content_type == first.content_type == "audio/mpeg"
    [heard] = other.heard
    assert heard.json()["input"] == "The bridge is closed."
    assert heard.json()["voice"] == "alloy"


def test_it_is_kept_under_its_own_name_and_paid_for_once(
    speak: Speak, service: TTSService, server: Server, other: Server, cache: MultiTierAudioCache
) -> None:
    server.behave = SPENT
    found = [speak() for _ in range(5)]
    assert [speech.tier for speech in found] == ["provider"] + ["memory"] * 4
    assert {speech.fallback for speech in found} == {True}
    assert (len(server.heard), len(other.heard)) == (1, 1)
    ours = service.complete(SpeechRequest(TEXT))
    assert found[0].key != ours.key
    assert not cache.holds(ours.clip())
    # It is there again: the first one's own clip is made, and the other's is left alone.
    server.behave = elevenlabs.answer
    service.outages.breaker.clock = lambda: time.monotonic() + 60
    speech = speak()
    assert (speech.provider, speech.fallback, speech.key) == ("elevenlabs", False, ours.key)
    assert cache.holds(ours.clip())


def test_an_open_breaker_costs_the_fallback_no_call_to_the_first(
    speak: Speak, service: TTSService, server: Server
) -> None:
    server.behave = SPENT
    for number in range(10):
        assert speak(f"Number {number}.").provider == "openai"
    assert len(server.heard) == 1
    first, second, third = service.get_provider_stats()
    assert (first["provider"], first["state"], first["kind"]) == (
        "elevenlabs",
        "open",
        "quota_spent",
    )
    assert [second["provider"], third["provider"]] == ["openai", "espeak"]
    assert (second["state"], service.fallbacks.answers) == ("closed", 10)


def test_they_are_asked_in_their_order(speak: Speak, server: Server, other: Server) -> None:
    server.behave, other.behave = SPENT, openai.QUOTA
    speech = speak()
    assert (speech.provider, speech.fallback) == ("espeak", True)
    # Nobody named a format: this one has no mp3.
    assert speech.content_type == "audio/wav"
    assert speak("Another.").provider == "espeak"
    assert (len(server.heard), len(other.heard)) == (1, 1)


def test_when_all_fail_the_first_ones_error_says_why(
    speak: Speak, server: Server, other: Server
) -> None:
    server.behave, other.behave = SPENT, openai.refusal(401, "x", "invalid_api_key")
    with pytest.raises(QuotaSpent, match="elevenlabs: HTTP 401, quota_exceeded") as caught:
        speak("ea" * 2000)  # which a voice rattles off
    first, second = caught.value.__notes__
    assert first == "fallback openai: openai: HTTP 401, invalid_api_key"
    assert re.fullmatch(r"fallback espeak: the answer lasts .* are plausible", second)
    assert (caught.value.status, caught.value.provider) == (401, "elevenlabs")
    for secret in (elevenlabs.KEY, openai.KEY, "eee"):
        assert secret not in "".join(caught.value.__notes__) + repr(caught.value)


def test_an_older_clip_of_the_first_comes_before_another_voice(
    speak: Speak, server: Server, other: Server, clock: Any
) -> None:
    speak()
    clock.now += 3_600_000
    server.behave = SPENT
    speech = speak()
    assert (speech.stale, speech.fallback, speech.provider) == (True, False, "elevenlabs")
    clock.now += 3_600_000
    assert speak().fallback
    assert len(other.heard) == 1
    # So it is with the fallback's own.
    clock.now += 3_600_000
    other.behave = openai.QUOTA
    speech = speak()
    assert (speech.stale, speech.fallback, speech.provider) == (True, True, "openai")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(Reply(451), ContentRefused), (elevenlabs.refusal(404, "voice_not_found"), RequestRefused)],
)
def test_what_is_refused_goes_to_nobody_else(
    speak: Speak, server: Server, other: Server, failure: Behaviour, kind: type[Exception]
) -> None:
    server.behave = failure
    with pytest.raises(kind):
        speak()
    with pytest.raises(InvalidSpeechRequest):
        speak("")
    assert not other.heard


def test_a_request_that_names_its_provider_is_for_that_one(
    speak: Speak, service: TTSService, server: Server, other: Server
) -> None:
    server.behave = DOWN
    with pytest.raises(ProviderError):
        speak(provider="elevenlabs")
    with pytest.raises(ProviderError):
        service.synthesize_sync(service.complete(SpeechRequest(TEXT)))
    assert not other.heard


def test_bytes_come_from_a_fallback_too(service: TTSService, server: Server, other: Server) -> None:
    server.behave = SPENT
    assert service.synthesize_text_sync(TEXT) == service.synthesize_sync(SpeechRequest(TEXT)).audio
    assert len(other.heard) == 1


def test_who_waits_for_one_that_hangs_turns_to_the_next_in_time(
    server: Server, other: Server, cache: MultiTierAudioCache, how: str
) -> None:
    config = asking(server, timeout=1.5, fallback_after=0.3, fallbacks=[openai_fallback(other)])
    service = TTSService(config, cache=cache)
    server.behave = silence(lambda: server)
    started = time.monotonic()
    speech = speaker(service, how)()
    assert speech.provider == "openai"
    assert 0.3 <= time.monotonic() - started < 1.3
    service.close()


def test_one_who_has_no_time_left_is_not_asked(
    server: Server, other: Server, cache: MultiTierAudioCache, how: str
) -> None:
    with openai.server() as third:
        fallbacks = [openai_fallback(other), openai_fallback(third, VOICE="nova")]
        config = asking(server, timeout=0.6, fallback_after=0.3, fallbacks=fallbacks)
        service = TTSService(config, cache=cache)
        server.behave, other.behave = silence(lambda: server), silence(lambda: other)
        speak = speaker(service, how)
        with pytest.raises(SpeechTimeout) as caught:
            speak()
        assert caught.value.__notes__[1] == "fallback openai: not asked: no time was left"
        # What that one once said costs neither money nor time.
        last = service.fallbacks.services[1]
        said = last.synthesize_sync(SpeechRequest(TEXT))
        assert (speak().audio, speak().fallback) == (said.audio, True)
        assert len(third.heard) == 1
        # And is found by the tags of whoever got it.
        service.synthesize_sync(SpeechRequest(TEXT), tags=["visitor 7"])
        entry = cache.find(last.complete(SpeechRequest(TEXT)).clip())
        assert entry is not None
        assert "visitor 7" in entry.tags
        service.close()


@pytest.mark.parametrize("heard", ["whole", "in pieces"])
def test_they_have_all_the_time_that_the_first_one_left(
    server: Server, other: Server, cache: MultiTierAudioCache, how: str, heard: str
) -> None:
    config = asking(server, timeout=5, fallback_after=4.8, fallbacks=[openai_fallback(other)])
    service = TTSService(config, cache=cache)
    server.behave = SPENT
    other.behave = late
    speak = speaker(service, how) if heard == "whole" else listener(service, how)
    assert speak().provider == "openai"
    service.close()


@pytest.mark.parametrize("trouble", ["hangs", "is asked too much", "sends no sound"])
def test_another_account_of_the_same_vendor_is_asked_for_itself(
    server: Server, cache: MultiTierAudioCache, how: str, trouble: str
) -> None:
    """Neither the first one's call, nor its pause, nor its refused answer is the other's."""
    fails: dict[str, Behaviour] = {
        "hangs": silence(lambda: server),
        "is asked too much": Reply(429, headers={"retry-after": "30"}),
        "sends no sound": Reply(),
    }

    def by_account(line: socket.socket, heard: Heard) -> bool:
        is_the_second = heard.headers["xi-api-key"] == elevenlabs.KEY
        return (elevenlabs.answer if is_the_second else fails[trouble])(line, heard)

    server.behave = by_account
    second = {"PROVIDER": "elevenlabs", "API_KEY": elevenlabs.KEY, "BASE_URL": server.url}
    given: dict[str, Any] = {"timeout": 8, "fallback_after": 1, "max_concurrent": 2}
    config = asking(server, api_key="the first's", fallbacks=[second], **given)
    service = TTSService(config, cache=cache)
    with without_waits():
        speech = speaker(service, how)()
    assert (speech.provider, speech.fallback) == ("elevenlabs", True)
    assert speech.key == service.complete(SpeechRequest(TEXT)).key
    assert speaker(service, how)().tier == "memory"
    service.close()


def test_of_what_another_account_sends_is_remembered_by_itself_that_it_is_no_sound(
    server: Server, cache: MultiTierAudioCache
) -> None:
    server.behave = Reply()
    second = {"PROVIDER": "elevenlabs", "API_KEY": "another", "BASE_URL": server.url}
    service = TTSService(asking(server, fallbacks=[second]), cache=cache)
    with without_waits():
        for _ in range(3):
            with pytest.raises(NotAudio):
                service.synthesize_sync(SpeechRequest(TEXT))
    keys = [heard.headers["xi-api-key"] for heard in server.heard]
    assert keys == [elevenlabs.KEY] * 2 + ["another"] * 2
    service.close()


def test_limits_hold_for_an_account_and_its_key_is_not_told() -> None:
    def account(**given: Any) -> str:
        return build_provider(TTSConfig(provider="elevenlabs", **given)).account

    assert account(api_key="one") == account(api_key="one")
    assert account(api_key="one") != account(api_key="two")
    assert account(api_key="one") != account(api_key="one", base_url="https://a.example")
    assert "secret" not in account(api_key="a secret")


def late(line: socket.socket, heard: Heard) -> bool:
    """Takes more time than the one who was asked first would have left when it timed out."""
    time.sleep(0.4)
    return openai.answer(line, heard)


@pytest.mark.untraced
def test_one_that_hangs_with_many_calls_holds_up_no_other(
    server: Server, other: Server, cache: MultiTierAudioCache
) -> None:
    config = asking(server, fallback_after=0.2, fallbacks=[openai_fallback(other)])
    service = TTSService(config, cache=cache)
    go_on = threading.Event()
    server.behave = lambda line, heard: go_on.wait(60) and SPENT(line, heard)

    async def speak() -> list[Speech]:
        asked = [SpeechRequest(f"Phrase {number}.") for number in range(MAX_THREADS + 8)]
        return await asyncio.gather(*map(service.synthesize, asked))

    started = time.monotonic()
    assert {speech.provider for speech in asyncio.run(speak())} == {"openai"}
    assert time.monotonic() - started < config.timeout / 2  # they still hang
    go_on.set()
    service.close()
    cache.close()


def test_one_whose_key_is_missing_is_passed_over(
    server: Server, cache: MultiTierAudioCache, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    config = asking(server, fallbacks="openai, espeak")
    service = TTSService(config, cache=cache)
    server.behave = SPENT
    assert speaker(service, how)().provider == "espeak"
    assert [one["provider"] for one in service.get_provider_stats()] == ["elevenlabs", "espeak"]
    service.close()


def test_the_keys_of_the_vendors_own_tools_are_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "their key")
    others = TTSConfig(provider="openai"), TTSConfig(provider="espeak")
    config = TTSConfig(api_key="k", timeout=7, cache_only=True, fallbacks=others)
    openai_config, espeak = map(config.with_fallback, config.fallbacks)
    assert (openai_config.api_key, espeak.api_key) == ("their key", None)
    assert (openai_config.timeout, openai_config.cache_only) == (7, True)
    assert "their key" not in repr(openai_config)


# What is asked of them


def provider(name: str, **given: Any) -> Any:
    key = {"polly": "id:secret"}.get(name, "k")
    return build_provider(TTSConfig(provider=name, api_key=key, **given))


def words(request: SpeechRequest, first: Any, other: Any) -> SpeechRequest:
    return reworded(request, first.complete(request), first, other)


def test_a_vendors_own_names_are_not_given_to_another() -> None:
    first = provider("elevenlabs", voice="21m00Tcm4TlvDq8ikWAM", options={"stability": 0.9})
    request = SpeechRequest(TEXT, voice="JBFqnCBsd6RMkjVDRZzb", speed=1.2, model="eleven_v3")
    found = words(request, first, provider("openai", model="tts-1"))
    assert (found.provider, found.voice, found.model, found.speed) == (
        "openai",
        "alloy",
        "tts-1",
        1.2,
    )
    assert found.options == {"extra_body": {}}
    assert found.is_complete


def test_another_account_of_the_same_vendor_is_given_all_of_them() -> None:
    first = provider("elevenlabs", voice="21m00Tcm4TlvDq8ikWAM", options={"stability": 0.9})
    complete = first.complete(SpeechRequest(TEXT))
    assert words(SpeechRequest(TEXT), first, provider("elevenlabs")) == complete
    found = words(SpeechRequest(TEXT), first, provider("elevenlabs", voice="another"))
    assert (found.voice, found.options["stability"]) == ("another", 0.9)


def test_the_language_goes_along_and_what_cannot_be_honoured_does_not() -> None:
    first = provider("azure", voice="de-DE-KatjaNeural", region="westeurope")
    assert words(SpeechRequest(TEXT), first, provider("espeak")).voice == "de"
    first = provider("openai", model="m")
    request = SpeechRequest(TEXT, language="tlh", speed=0.3, instructions="Softly.")
    found = words(request, first, provider("espeak"))
    assert (found.voice, found.speed, found.instructions) == ("en-us", 1, None)


@pytest.mark.parametrize(
    ("first", "asked", "other", "found"),
    [
        ("elevenlabs", "mp3_22050_32", "openai", "mp3"),
        ("elevenlabs", "wav_8000", "espeak", "wav"),
        ("elevenlabs", "mp3", "polly", "mp3_24000"),
        ("elevenlabs", None, "openai", "mp3"),
        ("elevenlabs", None, "espeak", "wav"),
        ("elevenlabs", "pcm_24000", "openai", "pcm"),
        ("openai", "wav", "google", "wav"),
        ("openai", "flac", "google", "flac"),
        ("elevenlabs", "mp3", "espeak", "mp3"),
        ("elevenlabs", "ulaw_8000", "espeak", None),
        # Whoever plays bare samples must know how fast.
        ("elevenlabs", "pcm_8000", "openai", None),
        ("openai", "pcm", "espeak", None),
    ],
)
def test_the_format_stays_or_the_error_says_so(
    first: str, asked: str | None, other: str, found: str | None
) -> None:
    primary = provider(first, **({"model": "m"} if first == "openai" else {}))
    given: dict[str, Any] = {"openai": {"model": "m"}, "polly": {"region": "eu-central-1"}}
    given["google"] = given["polly"] = {"voice": "en-US-Neural2-C", "region": "eu-central-1"}
    secondary = provider(other, **given.get(other, {}))
    request = SpeechRequest(TEXT, audio_format=asked)
    if found is not None:
        assert words(request, primary, secondary).audio_format == found
        return
    with pytest.raises(InvalidSpeechRequest) as caught:
        words(request, primary, secondary)
    assert caught.value.field in {"audio_format", "sample_rate"}


def test_a_fallback_may_be_given_a_format_of_its_own() -> None:
    first = provider("elevenlabs", format="ulaw_8000")
    with pytest.raises(InvalidSpeechRequest, match="audio_format"):
        words(SpeechRequest(TEXT), first, provider("espeak"))
    other = provider("espeak", format="wav")
    assert words(SpeechRequest(TEXT), first, other).audio_format == "wav"
    with pytest.raises(InvalidSpeechRequest, match="audio_format"):
        words(SpeechRequest(TEXT, audio_format="ulaw_8000"), first, other)


def test_markup_is_not_read_aloud() -> None:
    first = provider("google", voice="en-US-Neural2-C")
    request = SpeechRequest("<speak>Hello</speak>", ssml=True)
    assert words(request, first, provider("espeak")).ssml
    with pytest.raises(InvalidSpeechRequest, match="ssml"):
        words(request, first, provider("openai", model="m"))
