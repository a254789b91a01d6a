"""One paid clip, many formats."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiocache import FOREVER, CacheConfig, MultiTierAudioCache
from audiocache.entries import Recording
from tests.tts.doubles import StubProvider
from tests.tts.test_transcoding import judged
from tts import renditions
from tts.conf import TTSConfig
from tts.exceptions import FormatNotMade, QuotaSpent
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest
from tts.transcoding import MADE
from tts.wav import wav_of

TEXT = "The museum is free on Sundays, and closed on Mondays."


class SpeaksTwo(StubProvider):
    """Its clips are wav and pcm."""

    formats = ("wav", "pcm")


@pytest.fixture
def provider() -> StubProvider:
    return SpeaksTwo(TTSConfig())


def say(service: TTSService, audio_format: str | None = None) -> Speech:
    return service.synthesize_sync(SpeechRequest(TEXT, audio_format=audio_format))


def test_six_formats_are_one_call(service: TTSService, provider: StubProvider) -> None:
    for audio_format in MADE:
        speech = say(service, audio_format)
        rate = provider.sample_rates[0] if audio_format == "pcm" else None
        assert judged(speech.audio, audio_format, rate).content_type == speech.content_type
        assert say(service, audio_format).tier == "memory"
    assert len(provider.calls) == 1


def test_what_the_provider_does_not_speak_is_made_of_what_it_does(
    service: TTSService, provider: StubProvider
) -> None:
    flac = say(service, "flac")
    assert [call.audio_format for call in provider.calls] == ["wav"]
    wav = say(service)
    assert wav.tier == "memory"
    assert flac.entry.transcoded_from == wav.key
    assert flac.entry.source_key == wav.entry.source_key
    assert wav.entry.transcoded_from == ""
    assert flac.timings == wav.timings


def test_callers_of_many_formats_at_the_same_moment_pay_once(
    service: TTSService, provider: StubProvider
) -> None:
    provider.seconds = 0.2
    with ThreadPoolExecutor(12) as pool:
        speeches = list(pool.map(lambda name: say(service, name), [*MADE, *MADE]))
    assert [
        judged(one.audio, name, 8000).content_type
        for one, name in zip(speeches, MADE * 2, strict=True)
    ]
    assert len(provider.calls) == 1


def test_a_rendition_lives_no_longer_than_its_source(
    service: TTSService, cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    provider.answer = lambda recording: Recording(audio=recording.audio, ttl_seconds=100)
    wav = say(service)
    time.sleep(2)
    assert abs(say(service, "mp3").entry.expires - wav.entry.expires) < 2000
    cache.clear()
    provider.answer = lambda recording: Recording(audio=recording.audio, ttl_seconds=FOREVER)
    say(service)
    assert say(service, "mp3").entry.expires_at is None


def test_nothing_is_made_of_what_was_removed(
    service: TTSService, cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    say(service), say(service, "mp3")
    cache.discard(service.complete(SpeechRequest(TEXT)).clip())
    assert not cache.holds(service.complete(SpeechRequest(TEXT, audio_format="mp3")).clip())
    say(service, "mp3")
    assert len(provider.calls) == 2


def test_what_was_put_by_hand_and_is_no_sound_makes_no_rendition(
    service: TTSService, cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    service.warm_cache([(TEXT, b"sound")])
    assert say(service, "pcm").audio
    assert len(provider.calls) == 1


def test_a_silent_clip_that_was_put_by_hand_stands_in_no_format_s_way(
    service: TTSService, provider: StubProvider
) -> None:
    service.warm_cache([(TEXT, wav_of(bytes(200_000), provider.sample_rates[0]))])
    assert say(service).tier == "memory"
    assert say(service, "pcm").audio
    assert len(provider.calls) == 1


def test_nothing_is_made_of_a_cache_that_was_replaced(
    cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    caches = {"now": cache}

    class Service(TTSService):
        @property
        def cache(self) -> MultiTierAudioCache:
            return caches["now"]

    service = Service(TTSConfig(timeout=5), provider=provider)
    say(service), say(service, "pcm")
    caches["now"] = MultiTierAudioCache(CacheConfig(backend="memory"))
    say(service, "pcm")
    assert len(provider.calls) == 2
    caches["now"].close()


def test_a_call_that_fails_fails_for_every_format(
    service: TTSService, provider: StubProvider
) -> None:
    provider.error = QuotaSpent("no credit left", provider="stub")
    with pytest.raises(QuotaSpent):
        say(service, "flac")
    assert len(provider.calls) == 1


class TestWithoutTheExtra:
    @pytest.fixture(autouse=True)
    def no_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(renditions, "can_decode", lambda: False)

    def test_another_format_is_a_clear_error(
        self, service: TTSService, provider: StubProvider
    ) -> None:
        say(service)
        with pytest.raises(FormatNotMade, match=r"than pcm: pip install .*\[audio\]"):
            say(service, "pcm")
        assert len(provider.calls) == 1

    def test_a_setting_pays_for_it(
        self, cache: MultiTierAudioCache, provider: StubProvider
    ) -> None:
        config = TTSConfig(timeout=5, pay_for_each_format=True)
        service = TTSService(config, cache=cache, provider=provider)
        say(service), say(service, "pcm")
        assert [call.audio_format for call in provider.calls] == ["wav", "pcm"]
