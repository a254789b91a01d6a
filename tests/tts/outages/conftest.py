"""Services that ask local servers of vendors, on a clock that is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from tests.factories import FakeClock
from tests.tts.vendors import elevenlabs, openai
from tests.tts.vendors.server import Server
from tts.conf import TTSConfig
from tts.retry import without_waits
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest

TEXT = "The ferry leaves at noon."

Speak = Callable[..., Speech]


class Moment:
    """Seconds, moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> Iterator[MultiTierAudioCache]:
    """Memory only; an entry lives an hour, and is kept another."""
    config = CacheConfig(backend="memory", ttl_hours=1, stale_if_error_hours=1)
    cache = MultiTierAudioCache(config, clock=clock)
    yield cache
    cache.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """ElevenLabs."""
    with elevenlabs.server() as server:
        yield server


def asking(server: Server, **given: Any) -> TTSConfig:
    vendor = {"provider": "elevenlabs", "api_key": elevenlabs.KEY, "base_url": server.url}
    # Long enough for waits that the tests do not wait.
    return TTSConfig(**{"timeout": 20} | vendor | given)


def openai_fallback(server: Server, **given: Any) -> dict[str, Any]:
    return {
        "PROVIDER": "openai",
        "API_KEY": openai.KEY,
        "BASE_URL": f"{server.url}/v1",
        "MODEL": "tts-1",
    } | given


@pytest.fixture
def service(server: Server, cache: MultiTierAudioCache) -> Iterator[TTSService]:
    service = TTSService(asking(server), cache=cache)
    with without_waits():
        yield service
    service.close()


@pytest.fixture(params=["sync", "async"])
def how(request: pytest.FixtureRequest) -> str:
    way: str = request.param
    return way


def speaker(service: TTSService, how: str) -> Speak:
    """`service.synthesize` in one of the ways of waiting."""
    if how == "sync":
        return lambda text=TEXT, **kw: service.synthesize_sync(SpeechRequest(text, **kw))
    return lambda text=TEXT, **kw: asyncio.run(service.synthesize(SpeechRequest(text, **kw)))


def listener(service: TTSService, how: str) -> Callable[[], Speech]:
    """What a stream says when it was heard to its end, in one of the ways of waiting."""

    def heard() -> Speech:
        stream = service.stream_sync(SpeechRequest(TEXT))
        assert b"".join(stream)
        assert stream.speech is not None
        return stream.speech

    async def aheard() -> Speech:
        stream = service.stream(SpeechRequest(TEXT))
        assert [piece async for piece in stream]
        assert stream.speech is not None
        return stream.speech

    return heard if how == "sync" else lambda: asyncio.run(aheard())


@pytest.fixture
def speak(service: TTSService, how: str) -> Speak:
    return speaker(service, how)


@pytest.fixture
def moment(service: TTSService) -> Moment:
    """The clock of the throttle and of the breaker."""
    service.outages.clock = service.outages.breaker.clock = moment = Moment()
    return moment
