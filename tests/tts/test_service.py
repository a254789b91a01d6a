"""The straight line (laws 4 to 6): found, or made once, admitted and stored; however one waits."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.test import override_settings

from audiocache import CacheConfig, MultiTierAudioCache, get_audio_cache
from audiocache.entries import Recording
from tests.tts.doubles import LocalStub, StubProvider
from tts.conf import TTSConfig
from tts.exceptions import (
    InvalidSpeechRequest,
    NotAudio,
    QuotaSpent,
    SpeechNotConfigured,
    SpeechTimeout,
)
from tts.providers.tone import ToneProvider
from tts.refusals import refusals_of
from tts.service import TTSService, get_tts_service, set_tts_service
from tts.speech import Speech, SpeechRequest

TEXT = "The shop opens at nine."
Speak = Callable[..., Speech]


@pytest.fixture(params=["sync", "async"])
def speak(request: pytest.FixtureRequest, service: TTSService) -> Speak:
    """`service.synthesize` in each way of waiting."""
    if request.param == "sync":
        return lambda text=TEXT, **kw: service.synthesize_sync(SpeechRequest(text, **kw))
    return lambda text=TEXT, **kw: asyncio.run(service.synthesize(SpeechRequest(text, **kw)))


@pytest.fixture(params=["local", "remote"])
def provider(request: pytest.FixtureRequest) -> StubProvider:
    return {"local": LocalStub, "remote": StubProvider}[request.param](TTSConfig())


def test_the_provider_answers_first_and_memory_ever_after(
    speak: Speak, provider: StubProvider
) -> None:
    first, second = speak(), speak()
    assert (first.tier, second.tier) == ("provider", "memory")
    assert first.audio == second.audio
    assert first.content_type == "audio/wav"
    assert first.duration == second.duration
    assert first.timings == second.timings
    assert len(first.timings) == 5
    assert len(provider.calls) == 1


def test_text_in_audio_out(service: TTSService) -> None:
    audio = service.synthesize_text_sync(TEXT)
    assert asyncio.run(service.synthesize_text(TEXT)) == audio
    assert service.synthesize_sync(SpeechRequest(TEXT)).audio == audio


def test_every_parameter_of_the_text_verbs_reaches_the_provider(
    service: TTSService, provider: StubProvider
) -> None:
    fields: dict[str, Any] = {
        "voice": "bass",
        "audio_format": "pcm",
        "speed": 2,
        "language": "de",
        "instructions": "Softly.",
        "ssml": True,
        "model": "m",
    }
    service.synthesize_text_sync(TEXT, **fields)
    asyncio.run(service.synthesize_text(TEXT + " Now.", **fields))
    for call in provider.calls:
        assert {name: getattr(call, name) for name in fields} == fields


def test_the_provider_is_sent_the_normalised_text(speak: Speak, provider: StubProvider) -> None:
    speak("  The shop \t opens\r\n")
    assert provider.calls[0].text == "The shop opens"
    assert speak("The shop opens").tier == "memory"


def test_another_voice_is_another_clip(speak: Speak, provider: StubProvider) -> None:
    assert speak(voice="bass").audio != speak(voice="alto").audio
    assert len(provider.calls) == 2


def test_a_namespace_is_a_cache_of_its_own(service: TTSService, provider: StubProvider) -> None:
    request = SpeechRequest(TEXT)
    for namespace in ("", "a", "b", "a"):
        service.synthesize_sync(request, namespace=namespace)
    assert len(provider.calls) == 3


def test_one_look_up_counts_one_hit_or_one_miss(speak: Speak, cache: MultiTierAudioCache) -> None:
    for _ in range(3):
        speak()
    performance = cache.get_comprehensive_stats()["performance"]
    assert performance["misses"]["memory"] == 1
    assert performance["hits"]["memory"] == 2


def test_fifty_threads_are_one_call(service: TTSService, provider: StubProvider) -> None:
    provider.seconds = 0.2
    start = threading.Barrier(50)

    def ask(_: int) -> Speech:
        start.wait()
        return service.synthesize_sync(SpeechRequest(TEXT))

    with ThreadPoolExecutor(50) as pool:
        speeches = list(pool.map(ask, range(50)))
    assert len(provider.calls) == 1
    assert len({speech.audio for speech in speeches}) == 1
    assert sum(speech.joined for speech in speeches) == 49


def test_two_hundred_tasks_are_one_call(service: TTSService, provider: StubProvider) -> None:
    provider.seconds = 0.2

    async def all_ask() -> list[Speech]:
        return await asyncio.gather(*(service.synthesize(SpeechRequest(TEXT)) for _ in range(200)))

    speeches = asyncio.run(all_ask())
    assert len(provider.calls) == 1
    assert sum(speech.joined for speech in speeches) == 199


def test_threads_and_tasks_join_one_another(service: TTSService, provider: StubProvider) -> None:
    provider.seconds = 0.3
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(service.synthesize_sync, SpeechRequest(TEXT))
        while not provider.calls:
            time.sleep(0.005)
        late = asyncio.run(service.synthesize(SpeechRequest(TEXT)))
        assert late.joined
        assert not early.result().joined
    assert len(provider.calls) == 1


def test_two_formats_at_the_same_moment_do_not_take_each_others_sound(
    service: TTSService, provider: StubProvider
) -> None:
    provider.seconds = 0.2
    formats = ["wav", "pcm"] * 8

    def ask(audio_format: str) -> Speech:
        return service.synthesize_sync(SpeechRequest(TEXT, audio_format=audio_format))

    with ThreadPoolExecutor(16) as pool:
        speeches = list(pool.map(ask, formats))
    assert [speech.content_type for speech in speeches] == [f"audio/{name}" for name in formats]
    assert len(provider.calls) == 1  # the other format was made of the first


def test_all_who_wait_share_the_error_and_nothing_is_stored(
    service: TTSService, provider: StubProvider, cache: MultiTierAudioCache
) -> None:
    provider.seconds, provider.error = 0.2, QuotaSpent("no credit left", provider="stub")

    async def all_ask() -> list[Any]:
        asked = (service.synthesize(SpeechRequest(TEXT)) for _ in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert {type(error) for error in asyncio.run(all_ask())} == {QuotaSpent}
    assert len(provider.calls) == 1
    assert not cache.holds(service.complete(SpeechRequest(TEXT)).clip())


def test_what_is_no_sound_is_refused_and_asked_for_again_when_it_is_forgotten(
    speak: Speak, service: TTSService, provider: StubProvider, cache: MultiTierAudioCache
) -> None:
    provider.answer = lambda recording: dataclasses.replace(recording, audio=b"<html></html>")
    with pytest.raises(NotAudio, match="HTML"):
        speak()
    assert cache.tiers["memory"].stats()["entry_count"] == 0
    asked = len(provider.calls)
    assert asked == (2 if provider.remote else 1)
    provider.answer = lambda recording: recording
    if provider.remote:
        with pytest.raises(NotAudio, match="not asked again before"):
            speak()
        assert len(provider.calls) == asked
        refusals_of(cache).forget(service.complete(SpeechRequest(TEXT)).source_key)
    assert speak().tier == "provider"


def test_a_wrong_request_reaches_neither_cache_nor_provider(
    speak: Speak, provider: StubProvider, cache: MultiTierAudioCache
) -> None:
    for fields in ({"text": ""}, {"speed": 9}, {"voice": "x"}, {"audio_format": "tape"}):
        with pytest.raises(InvalidSpeechRequest):
            speak(**fields)
    assert provider.calls == []
    assert cache.get_comprehensive_stats()["performance"]["misses"]["memory"] == 0


@pytest.mark.parametrize("provider", ["remote"], indirect=True)
def test_a_caller_leaves_at_the_timeout_and_the_clip_is_stored(
    cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    provider.seconds = 0.5
    service = TTSService(TTSConfig(timeout=0.1), cache=cache, provider=provider)
    asks: list[Callable[[], Speech]] = [
        lambda: service.synthesize_sync(SpeechRequest(TEXT)),
        lambda: asyncio.run(service.synthesize(SpeechRequest(TEXT))),
    ]
    for ask in asks:
        started = time.monotonic()
        with pytest.raises(SpeechTimeout, match="TTS_TIMEOUT"):
            ask()
        assert 0.1 <= time.monotonic() - started < 0.3


def test_a_caller_who_left_has_paid_for_the_next_one(
    cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    started, finish = threading.Event(), threading.Event()

    def slowly(recording: Recording) -> Recording:
        started.set()
        finish.wait(5)
        return recording

    provider.answer = slowly
    service = TTSService(TTSConfig(timeout=0.2), cache=cache, provider=provider)

    async def leave() -> None:
        task = asyncio.create_task(service.synthesize(SpeechRequest(TEXT)))
        await asyncio.to_thread(started.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        finish.set()

    asyncio.run(leave())
    clip = service.complete(SpeechRequest(TEXT)).clip()
    assert eventually(lambda: cache.holds(clip))
    assert service.synthesize_sync(SpeechRequest(TEXT)).tier == "memory"
    assert len(provider.calls) == 1


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_timeout_of_the_providers_own_is_not_the_callers(
    speak: Speak, provider: StubProvider
) -> None:
    provider.error = TimeoutError("of a socket")
    with pytest.raises(TimeoutError, match="of a socket") as caught:
        speak()
    assert not isinstance(caught.value, SpeechTimeout)


def test_local_speech_is_made_in_the_callers_thread(cache: MultiTierAudioCache) -> None:
    provider = LocalStub(TTSConfig())
    TTSService(TTSConfig(), cache=cache, provider=provider).synthesize_text_sync(TEXT)
    assert provider.threads == [threading.get_ident()]


def test_remote_speech_is_made_on_a_thread_of_the_cache(
    service: TTSService, cache: MultiTierAudioCache
) -> None:
    provider = StubProvider(TTSConfig())
    TTSService(TTSConfig(), cache=cache, provider=provider).synthesize_text_sync(TEXT)
    assert provider.threads != [threading.get_ident()]


def test_without_threads_everything_happens_here(
    inline_cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    service = TTSService(TTSConfig(), cache=inline_cache, provider=provider)
    before = set(threading.enumerate())
    service.synthesize_text_sync(TEXT)
    asyncio.run(service.synthesize_text(TEXT + " Again."))

    async def together() -> None:
        await asyncio.gather(*(service.synthesize_text("Together.") for _ in range(5)))

    asyncio.run(together())
    assert provider.threads == [threading.get_ident()] * 3
    assert set(threading.enumerate()) == before


def test_a_flight_whose_leader_died_is_flown_again(
    service: TTSService, provider: StubProvider
) -> None:
    """The leader's thread ends with an exit; who joined it asks anew."""
    provider.seconds = 0.2
    interrupt: list[BaseException] = [KeyboardInterrupt()]

    def die_once(recording: Recording) -> Recording:
        if interrupt:
            raise interrupt.pop()
        return recording

    provider.answer = die_once

    def lead() -> None:
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever ends a thread
            service.synthesize_sync(SpeechRequest(TEXT))

    leader = threading.Thread(target=lead)
    leader.start()
    while not provider.calls:
        time.sleep(0.005)
    assert service.synthesize_sync(SpeechRequest(TEXT)).audio
    leader.join()
    assert len(provider.calls) == 2


# The cache's verbs


def test_warmed_audio_is_what_the_text_then_says(
    service: TTSService, provider: StubProvider
) -> None:
    assert service.warm_cache([("One.", b"first"), ("Two.", bytearray(b"second"))]) == 2
    assert service.warm_cache({"Three.": b"third"}) == 1
    assert service.synthesize_text_sync("One.") == b"first"
    assert service.synthesize_text_sync(" Two. ") == b"second"
    assert service.synthesize_text_sync("Three.") == b"third"
    assert provider.calls == []


def test_warming_is_nothing_when_it_is_switched_off(provider: StubProvider) -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory", enable_warming=False))
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    assert service.warm_cache([("One.", b"first")]) == 0
    assert not cache.holds(service.complete(SpeechRequest("One.")).clip())


def test_warming_takes_only_audio_and_text(service: TTSService) -> None:
    with pytest.raises(TypeError, match="audio"):
        service.warm_cache([("One.", "first")])  # type: ignore[list-item]
    with pytest.raises(InvalidSpeechRequest, match="text"):
        service.warm_cache([("", b"first")])


def test_statistics_and_clearing_are_the_caches(
    service: TTSService, cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    service.synthesize_text_sync(TEXT)
    assert service.get_cache_stats().keys() == cache.get_comprehensive_stats().keys()
    service.clear_cache()
    service.synthesize_text_sync(TEXT)
    assert len(provider.calls) == 2


# Set up or not


def test_switched_off_it_says_what_to_set(
    cache: MultiTierAudioCache, provider: StubProvider
) -> None:
    service = TTSService(TTSConfig(enabled=False), cache=cache, provider=provider)
    assert not service.is_enabled()
    with pytest.raises(SpeechNotConfigured, match="TTS_ENABLED"):
        service.synthesize_text_sync(TEXT)


def test_without_a_provider_it_says_what_to_set(cache: MultiTierAudioCache, settings: Any) -> None:
    settings.DEBUG = False
    service = TTSService(TTSConfig(), cache=cache)
    assert not service.is_enabled()
    with pytest.raises(SpeechNotConfigured, match="TTS_PROVIDER"):
        service.synthesize_text_sync(TEXT)


@pytest.mark.parametrize(
    "name", ["nobody", "no.such.Module", "tts.deadline.Deadline", "tts.deadline"]
)
def test_a_provider_that_is_none_is_a_wrong_setting(cache: MultiTierAudioCache, name: str) -> None:
    service = TTSService(TTSConfig(provider=name), cache=cache)
    assert not service.is_enabled()
    with pytest.raises(ImproperlyConfigured, match=r"TTS_PROVIDER.*espeak.*openai.*tone"):
        service.synthesize_text_sync(TEXT)


def test_a_provider_of_ours_whose_import_fails_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        __import__("tts.providers", fromlist=["PROVIDERS"]).PROVIDERS, "broken", "tts.no.Such"
    )
    with pytest.raises(ImportError):
        _ = TTSService(TTSConfig(provider="broken")).provider


def test_a_provider_is_found_by_name_or_dotted_path() -> None:
    for name in ("tone", "tts.providers.tone.ToneProvider"):
        assert isinstance(TTSService(TTSConfig(provider=name)).provider, ToneProvider)


def test_given_none_it_is_made_from_settings(cache: MultiTierAudioCache, settings: Any) -> None:
    settings.TTS = {"PROVIDER": "tone", "VOICE": "bass"}
    service = TTSService(cache=cache)
    assert service.is_enabled()
    assert service.complete(SpeechRequest(TEXT)).voice == "bass"


def test_the_cache_is_that_of_the_process() -> None:
    assert TTSService(TTSConfig(provider="tone")).cache is get_audio_cache()


def test_closing_gives_the_providers_connections_back(
    service: TTSService, provider: StubProvider
) -> None:
    service.close()
    assert provider.closed
    TTSService(TTSConfig(provider="tone")).close()


# One per process


@pytest.fixture
def _no_service() -> Iterator[None]:
    former = set_tts_service(None)
    yield
    set_tts_service(former)


@pytest.mark.usefixtures("_no_service")
def test_there_is_one_service_for_all_threads() -> None:
    with ThreadPoolExecutor(16) as pool:
        services = set(pool.map(lambda _: get_tts_service(), range(64)))
    assert len(services) == 1


@pytest.mark.usefixtures("_no_service")
def test_a_changed_setting_makes_it_anew(provider: StubProvider) -> None:
    before = get_tts_service()
    with override_settings(TTS={"PROVIDER": "tone", "VOICE": "bass"}):
        assert get_tts_service().config.voice == "bass"
    assert get_tts_service().config.voice is None
    assert get_tts_service() is not before
    again = get_tts_service()
    setting_changed.send(type(provider), setting="LANGUAGE_CODE", value="de", enter=True)
    assert get_tts_service() is again


def test_no_log_and_no_error_holds_the_text(
    speak: Speak, provider: StubProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda recording: dataclasses.replace(recording, audio=b"no sound")
    with pytest.raises(NotAudio) as caught:
        speak(TEXT, instructions="Whisper it.")
    told = caplog.text + str(caught.value) + repr(caught.value)
    assert TEXT not in told
    assert "Whisper" not in told
