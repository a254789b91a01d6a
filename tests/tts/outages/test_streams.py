"""What a listener hears when the provider fails before the first byte: no error, if it can be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from audiocache import MultiTierAudioCache
from tests.factories import HOUR, FakeClock
from tests.tts.outages.conftest import TEXT, Moment, asking, openai_fallback
from tests.tts.vendors import elevenlabs, misbehaving, openai
from tests.tts.vendors.server import Reply, Server
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import Tap
from tts.exceptions import BreakerOpen, ConnectionFailed, NotCached, TTSError, WrongKey
from tts.retry import without_waits
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest

REQUEST = SpeechRequest(TEXT, audio_format="mp3")

Listen = Callable[[TTSService], tuple[bytes, Speech | None]]


@pytest.fixture
def listen(how: str) -> Listen:
    """All that is heard, and what is known of it at the end."""

    def in_a_thread(service: TTSService) -> tuple[bytes, Speech | None]:
        stream = service.stream_sync(REQUEST)
        return b"".join(stream), stream.speech

    async def in_a_task(service: TTSService) -> tuple[bytes, Speech | None]:
        stream = service.stream(REQUEST)
        return b"".join([piece async for piece in stream]), stream.speech

    return in_a_thread if how == "sync" else lambda service: asyncio.run(in_a_task(service))


def test_an_older_clip_is_heard_and_the_provider_rests(
    service: TTSService, server: Server, clock: FakeClock, listen: Listen
) -> None:
    made, _ = listen(service)
    clock.now += HOUR
    server.behave = Reply(500)
    heard, speech = listen(service)
    assert heard == made
    assert speech is not None
    assert speech.stale
    calls = len(server.heard)
    assert listen(service)[0] == made
    assert len(server.heard) == calls


def test_another_provider_is_heard(
    server: Server, cache: MultiTierAudioCache, listen: Listen
) -> None:
    server.behave = Reply(401)
    with openai.server() as other, without_waits():
        service = TTSService(asking(server, fallbacks=[openai_fallback(other)]), cache=cache)
        with contextlib.closing(service):
            heard, speech = listen(service)
            assert speech is not None
            assert (speech.fallback, speech.audio) == (True, heard)
            assert speech.content_type == "audio/mpeg"
            assert listen(service)[0] == heard
            assert len(other.heard) == 1


def test_a_provider_that_does_not_begin_is_left_for_another(
    server: Server, cache: MultiTierAudioCache, listen: Listen
) -> None:
    server.behave = misbehaving.silence(lambda: server)
    with openai.server() as other:
        given = asking(server, timeout=2, fallback_after=0.2, fallbacks=[openai_fallback(other)])
        service = TTSService(given, cache=cache)
        with contextlib.closing(service):
            _, speech = listen(service)
            assert speech is not None
            assert speech.fallback
        server.closing.set()


def test_one_that_has_begun_has_all_the_time(
    server: Server, cache: MultiTierAudioCache, listen: Listen
) -> None:
    mp3 = sound(TEXT, "mp3_44100_128")
    server.behave = Tap(mp3, pieces=6, pace=0.1)
    with openai.server() as other:
        given = asking(server, timeout=5, fallback_after=0.3, fallbacks=[openai_fallback(other)])
        service = TTSService(given, cache=cache)
        with contextlib.closing(service):
            assert listen(service)[0] == mp3
            assert not other.heard


def test_after_a_byte_nothing_else_is_heard(
    server: Server, cache: MultiTierAudioCache, clock: FakeClock
) -> None:
    tap = Tap(sound(TEXT, "mp3_44100_128"))
    with openai.server() as other:
        service = TTSService(asking(server, fallbacks=[openai_fallback(other)]), cache=cache)
        with contextlib.closing(service):
            service.synthesize_sync(REQUEST)
            clock.now += HOUR  # an older clip would be there
            server.behave = tap
            tap.cut_after = 2
            tap.let(1)
            stream = service.stream_sync(REQUEST).ready()
            tap.let()
            heard: list[bytes] = []
            with pytest.raises(ConnectionFailed):
                heard.extend(stream)
            assert b"".join(heard) == b"".join(tap.pieces[:2])
            assert not other.heard


def test_an_open_breaker_is_told_before_the_first_byte(
    service: TTSService, server: Server, moment: Moment, listen: Listen
) -> None:
    server.behave = elevenlabs.refusal(401, "invalid_api_key")
    for kind in (WrongKey, BreakerOpen):
        with pytest.raises(kind):
            listen(service)
    assert len(server.heard) == 1


def test_the_cache_alone(server: Server, cache: MultiTierAudioCache, listen: Listen) -> None:
    service = TTSService(asking(server, cache_only=True), cache=cache)
    with contextlib.closing(service):
        error: type[TTSError] = NotCached
        with pytest.raises(error):
            listen(service)
        clip = service.complete(REQUEST).clip()
        service.warm_cache([(TEXT, b"ID3 sound")])
        assert listen(service)[0] == b"ID3 sound"
        assert service.cache.find(clip) is not None
        assert not server.heard
