"""TTS_CACHE_ONLY: what is there is served, what is not is a clear error, and nobody is called."""

from __future__ import annotations

import pytest

from audiocache import MultiTierAudioCache
from tests.factories import HOUR, FakeClock
from tests.tts.doubles import LocalStub
from tests.tts.outages.conftest import TEXT, asking, speaker
from tests.tts.vendors.server import Server
from tts.conf import TTSConfig
from tts.exceptions import NotCached, SpeechNotConfigured, TTSError
from tts.providers import PROVIDERS, build_provider
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.warming import warm

CACHE_ONLY = TTSConfig(provider="elevenlabs", cache_only=True)


def test_hits_work_without_a_key_and_misses_say_why(
    service: TTSService, server: Server, cache: MultiTierAudioCache, how: str
) -> None:
    stored = service.synthesize_sync(SpeechRequest(TEXT))
    speak = speaker(TTSService(CACHE_ONLY, cache=cache), how)
    found = speak()
    assert (found.audio, found.tier, found.stale) == (stored.audio, "memory", False)
    with pytest.raises(NotCached, match="elevenlabs is not asked: TTS_CACHE_ONLY is true"):
        speak("Nobody ever said this.")
    assert issubclass(NotCached, TTSError)
    assert len(server.heard) == 1


def test_older_clips_work_as_long_as_they_are_kept(
    service: TTSService, cache: MultiTierAudioCache, clock: FakeClock, how: str
) -> None:
    service.synthesize_sync(SpeechRequest(TEXT))
    speak = speaker(TTSService(CACHE_ONLY, cache=cache), how)
    clock.now += HOUR
    assert [speak().stale for _ in range(3)] == [True] * 3
    clock.now += HOUR
    with pytest.raises(NotCached):
        speak()


def test_what_a_fallback_once_said_works_too(
    server: Server, cache: MultiTierAudioCache, how: str
) -> None:
    service = TTSService(asking(server, fallbacks=["tone"], api_key="wrong"), cache=cache)
    said = speaker(service, how)()
    service.close()
    tone = TTSConfig(provider="tone")
    config = TTSConfig(provider="elevenlabs", cache_only=True, fallbacks=(tone,))
    speech = speaker(TTSService(config, cache=cache), how)()
    assert (speech.provider, speech.fallback, speech.audio) == ("tone", True, said.audio)


def test_a_look_up_is_one_hit_or_one_miss(
    service: TTSService, cache: MultiTierAudioCache, how: str
) -> None:
    service.synthesize_sync(SpeechRequest(TEXT))
    speak = speaker(TTSService(CACHE_ONLY, cache=cache), how)
    speak()
    with pytest.raises(NotCached):
        speak("Nobody ever said this.")
    performance = cache.get_comprehensive_stats()["performance"]
    assert (performance["hits"]["memory"], performance["misses"]["memory"]) == (1, 2)


def test_a_voice_of_this_machine_is_silent_too(cache: MultiTierAudioCache, how: str) -> None:
    provider = LocalStub(TTSConfig())
    service = TTSService(TTSConfig(cache_only=True), cache=cache, provider=provider)
    with pytest.raises(NotCached):
        speaker(service, how)()
    assert provider.calls == []


def test_warming_ends_at_once(cache: MultiTierAudioCache) -> None:
    requests = [SpeechRequest(f"Number {n}.") for n in range(3)]
    result = warm(requests, service=TTSService(CACHE_ONLY, cache=cache))
    assert (result.stopped_by, result.done) == ("NotCached", 1)


@pytest.mark.parametrize("name", PROVIDERS)
def test_no_provider_needs_a_key_for_it(name: str) -> None:
    assert build_provider(TTSConfig(provider=name, cache_only=True)).name == name
    if name in {"elevenlabs", "openai", "azure", "google"}:
        with pytest.raises(SpeechNotConfigured):
            build_provider(TTSConfig(provider=name))
