"""`Cache-Control` of a request, sync and async."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from tests.factories import HOUR, FakeClock
from tests.tts.doubles import LocalStub, StubProvider
from tts.conf import TTSConfig
from tts.exceptions import NotCached, ProviderDown, SpeechTimeout
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest
from tts.wishes import Wishes, aspeech_by, speech_by, wishes_of

HELLO = SpeechRequest("Hello.")
Ask = Callable[[TTSService, Wishes], Speech]


def ask_sync(service: TTSService, wishes: Wishes) -> Speech:
    return speech_by(service, HELLO, wishes)


def ask_async(service: TTSService, wishes: Wishes) -> Speech:
    return asyncio.run(aspeech_by(service, HELLO, wishes))


@pytest.fixture
def provider() -> LocalStub:
    """Which is not asked again."""
    return LocalStub(TTSConfig())


@pytest.fixture(params=[ask_sync, ask_async])
def ask(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    ("header", "wishes"),
    [
        ("", Wishes()),
        ("max-age=0", Wishes()),
        ("No-Cache", Wishes(no_cache=True)),
        (" no-store ,only-if-cached", Wishes(no_store=True, only_if_cached=True)),
        ("x=no-cache, no-cache=1", Wishes(no_cache=True)),
        ("no-cached", Wishes()),
    ],
)
def test_directives(header: str, wishes: Wishes) -> None:
    assert wishes_of(header) == wishes


def test_no_wish_is_the_usual_way(ask: Ask, service: TTSService, provider: StubProvider) -> None:
    assert ask(service, Wishes()).tier == "provider"
    assert ask(service, Wishes()).tier == "memory"
    assert len(provider.calls) == 1


def test_only_if_cached_asks_no_provider(
    ask: Ask, service: TTSService, provider: StubProvider
) -> None:
    with pytest.raises(NotCached):
        ask(service, Wishes(only_if_cached=True))
    assert not provider.calls
    service.synthesize_sync(HELLO)
    assert ask(service, Wishes(only_if_cached=True)).tier == "memory"


def test_no_cache_makes_it_anew_and_keeps_it(
    ask: Ask, service: TTSService, provider: StubProvider
) -> None:
    service.synthesize_sync(HELLO)
    made = ask(service, Wishes(no_cache=True))
    assert (made.tier, made.stored, len(provider.calls)) == ("provider", True, 2)
    assert service.synthesize_sync(HELLO).entry.created == made.entry.created


def test_only_if_cached_is_made_of_another_format(
    service: TTSService, provider: StubProvider
) -> None:
    service.synthesize_sync(HELLO)
    flac = SpeechRequest("Hello.", audio_format="flac")
    assert speech_by(service, flac, Wishes(only_if_cached=True)).transcoded
    with pytest.raises(NotCached):
        speech_by(service, flac, Wishes(only_if_cached=True, no_cache=True))
    assert len(provider.calls) == 1


def test_no_cache_is_not_made_of_another_format(
    service: TTSService, provider: StubProvider
) -> None:
    service.synthesize_sync(HELLO)
    flac = SpeechRequest("Hello.", audio_format="flac")
    assert speech_by(service, flac, Wishes()).transcoded
    assert len(provider.calls) == 1
    assert speech_by(service, flac, Wishes(no_cache=True)).tier == "provider"
    assert len(provider.calls) == 2


def test_no_store_stores_not_even_what_it_is_made_of(
    service: TTSService, provider: StubProvider
) -> None:
    flac = SpeechRequest("Hello.", audio_format="flac")
    speech_by(service, flac, Wishes(no_store=True))
    assert service.cache.find(service.complete(HELLO).clip()) is None
    assert len(provider.calls) == 1


def test_no_store_leaves_nothing(ask: Ask, service: TTSService, provider: StubProvider) -> None:
    made = ask(service, Wishes(no_store=True))
    assert (made.tier, made.stored) == ("provider", False)
    assert service.cache.find(service.complete(HELLO).clip()) is None
    assert len(provider.calls) == 1


def test_no_store_uses_what_is_stored(
    ask: Ask, service: TTSService, provider: StubProvider
) -> None:
    service.synthesize_sync(HELLO)
    assert ask(service, Wishes(no_store=True)).tier == "memory"
    assert len(provider.calls) == 1


def test_both_make_it_anew_and_keep_the_older_one(
    ask: Ask, service: TTSService, provider: StubProvider
) -> None:
    before = service.synthesize_sync(HELLO)
    assert not ask(service, Wishes(no_cache=True, no_store=True)).stored
    assert service.synthesize_sync(HELLO).entry.created == before.entry.created


def test_the_provider_s_error_is_the_caller_s(
    ask: Ask, service: TTSService, provider: StubProvider
) -> None:
    provider.error = ProviderDown("it is down")
    with pytest.raises(ProviderDown):
        ask(service, Wishes(no_cache=True))


def test_a_caller_leaves_in_time(ask: Ask, cache: Any, provider: StubProvider) -> None:
    service = TTSService(TTSConfig(timeout=0.1), cache=cache, provider=provider)
    provider.seconds = 0.3
    with pytest.raises(SpeechTimeout):
        ask(service, Wishes(no_cache=True))


@pytest.mark.parametrize("other", [Wishes(no_cache=True), Wishes(no_store=True)])
def test_only_if_cached_pays_for_no_other_wish(
    ask: Ask, service: TTSService, provider: StubProvider, other: Wishes
) -> None:
    with pytest.raises(NotCached):
        ask(service, other._replace(only_if_cached=True))
    assert not provider.calls


@pytest.mark.parametrize("wishes", [Wishes(no_cache=True), Wishes(no_store=True)])
def test_cache_only_is_stronger_than_a_client(
    ask: Ask, cache: Any, provider: StubProvider, wishes: Wishes
) -> None:
    service = TTSService(TTSConfig(cache_only=True), cache=cache, provider=provider)
    with pytest.raises(NotCached, match="TTS_CACHE_ONLY"):
        ask(service, wishes)
    assert not provider.calls


def test_a_fallback_speaks_for_what_is_wanted_anew(
    ask: Ask, cache: Any, provider: StubProvider
) -> None:
    config = TTSConfig(timeout=5, fallbacks=(TTSConfig(provider="tone"),))
    service = TTSService(config, cache=cache, provider=provider)
    provider.error = ProviderDown("it is down")
    speech = ask(service, Wishes(no_cache=True))
    assert (speech.provider, speech.fallback) == ("tone", True)
    with pytest.raises(ProviderDown):  # what a fallback makes is kept
        ask(service, Wishes(no_store=True))


def test_an_older_clip_is_better_than_an_error_unless_it_was_ruled_out(
    ask: Ask, provider: StubProvider
) -> None:
    clock = FakeClock()
    config = CacheConfig(backend="memory", ttl_hours=1, stale_if_error_hours=1)
    cache = MultiTierAudioCache(config, clock=clock)
    service = TTSService(TTSConfig(timeout=5), cache=cache, provider=provider)
    service.synthesize_sync(HELLO)
    clock.now += HOUR
    provider.error = ProviderDown("it is down")
    assert ask(service, Wishes(no_store=True)).stale
    for wishes, raised in (
        (Wishes(only_if_cached=True), NotCached),
        (Wishes(no_cache=True), ProviderDown),
    ):
        with pytest.raises(raised):
            ask(service, wishes)
    cache.close()


def test_what_fails_when_its_client_has_hung_up_is_not_logged(
    service: TTSService, provider: StubProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.seconds, provider.error = 0.1, ProviderDown("it is down")

    async def hang_up() -> None:
        asking = asyncio.create_task(aspeech_by(service, HELLO, Wishes(no_cache=True)))
        while not provider.calls:  # noqa: ASYNC110 - a thread of ours calls
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        service.cache.makers.close(lambda: None)
        await asyncio.sleep(0)

    asyncio.run(hang_up())
    gc.collect()
    assert "never retrieved" not in caplog.text
