"""Speech that is heard while it is made: over real sockets, from vendors who send in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.signals import entry_stored
from audiocache.streams import PIECE
from audiocache.testing import override_speech
from tests.tts.clips import encoded
from tests.tts.doubles import LocalStub, StubProvider
from tests.tts.vendors import google, misbehaving, openai
from tests.tts.vendors.server import Behaviour, Reply, Server
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import Tap
from tts import get_tts_service
from tts.attempts import Attempt, attempt_made
from tts.conf import TTSConfig
from tts.exceptions import (
    ConnectionFailed,
    InvalidSpeechRequest,
    NotAudio,
    ProviderDown,
    ProviderTimeout,
    SpeechTimeout,
    WrongKey,
)
from tts.providers.http import HttpProvider
from tts.retry import without_waits
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.streaming import AsyncSpeechStream, SpeechStream, channels_of
from tts.wav import read_wav

TEXT = "The ferry to the island leaves from pier seven, at a quarter past nine."
MP3 = sound(TEXT, "mp3")
REQUEST = SpeechRequest(TEXT)
SILENCE = encoded(bytes(2 * 24_000 * 4), 24_000, "mp3")


@contextlib.contextmanager
def vendor(behave: Behaviour, timeout: float = 10) -> Iterator[tuple[TTSService, Server]]:
    """A service that asks this server, as OpenAI's; at its end no thread of it is left."""
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    with Server(behave) as server:
        config = TTSConfig(
            provider="openai",
            model="tts-1",
            api_key=openai.KEY,
            base_url=f"{server.url}/v1",
            timeout=timeout,
        )
        service = TTSService(config, cache=cache)
        try:
            yield service, server
        finally:
            cache.close()
            service.close()


def stored(service: TTSService) -> bytes | None:
    """Once all that was begun has ended."""
    service.cache.close()
    entry = service.cache.find(service.complete(REQUEST).clip())
    return entry and entry.audio


def heard_in_a_thread(stream: SpeechStream) -> tuple[threading.Thread, bytearray]:
    heard = bytearray()

    def listen() -> None:
        for piece in stream:
            heard.extend(piece)

    thread = threading.Thread(target=listen)
    thread.start()
    return thread, heard


async def whole(stream: AsyncSpeechStream) -> bytes:
    return b"".join([piece async for piece in stream])


def until(true: Callable[[], object], seconds: float = 5) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.002)


# As it comes


def test_each_piece_is_heard_when_it_is_sent_and_a_second_listener_hears_all() -> None:
    tap = Tap(MP3, pieces=10, pace=0.05)
    with vendor(tap) as (service, server):
        first, second = service.stream_sync(REQUEST), service.stream_sync(REQUEST)
        at: list[float] = []
        heard = bytearray()
        others: list[tuple[threading.Thread, bytearray]] = []
        for piece in first:
            at.append(time.monotonic())
            heard += piece
            if len(at) == 5:
                others.append(heard_in_a_thread(second))
        [(thread, of_second)] = others
        thread.join(5)
        assert bytes(heard) == bytes(of_second) == stored(service) == MP3
        assert (first.joined, second.joined) == (False, True)
        assert len(server.heard) == 1
    lags = [came - sent for came, sent in zip(at, tap.sent, strict=True)]
    assert sorted(lags)[len(lags) // 2] < 0.01
    assert lags[0] < 0.1
    assert tap.sent[-1] - at[0] > 0.3  # the first was there long before the last


def test_a_task_hears_each_piece_when_it_is_sent() -> None:
    tap = Tap(MP3, pieces=6, pace=0.03)

    async def listen(service: TTSService) -> list[float]:
        return [time.monotonic() async for _ in service.stream(REQUEST)]

    with vendor(tap) as (service, _):
        at = asyncio.run(listen(service))
    lags = [came - sent for came, sent in zip(at, tap.sent, strict=True)]
    assert sorted(lags)[len(lags) // 2] < 0.01


def test_tasks_hear_it_as_it_comes_and_hold_no_thread() -> None:
    tap = Tap(MP3, pieces=8)

    async def listen(service: TTSService) -> list[bytes]:
        streams = [service.stream(REQUEST) for _ in range(200)]
        tap.let(1)
        await asyncio.gather(*(stream.ready() for stream in streams))
        threads = threading.active_count()
        assert len(tap.sent) == 1
        late = [service.stream(REQUEST) for _ in range(200)]
        listening = asyncio.gather(*(whole(stream) for stream in (*streams, *late)))
        await asyncio.sleep(0.05)
        assert threading.active_count() <= threads + 1
        tap.let()
        return await listening

    with vendor(tap) as (service, server):
        assert set(asyncio.run(listen(service))) == {MP3}
        assert len(server.heard) == 1
        assert service.get_cache_stats()["performance"]["joined"] == 399
        assert stored(service) == MP3


def test_loops_and_threads_listen_to_one_call() -> None:
    tap = Tap(MP3, pieces=6)

    def in_a_loop(service: TTSService) -> bytes:
        return asyncio.run(whole(service.stream(REQUEST)))

    def in_a_thread(service: TTSService) -> bytes:
        return b"".join(service.stream_sync(REQUEST))

    with vendor(tap) as (service, server), ThreadPoolExecutor(8) as pool:
        ways = [in_a_loop, in_a_thread] * 4
        heard = [pool.submit(way, service) for way in ways]
        for _ in tap.pieces:
            tap.let(1)
            time.sleep(0.01)
        assert {future.result(10) for future in heard} == {MP3}
        assert len(server.heard) == 1


def test_what_is_known_before_the_first_byte() -> None:
    with vendor(Tap(MP3, pace=0)) as (service, server):
        stream = service.stream_sync(REQUEST)
        assert (stream.content_type, stream.speech) == ("audio/mpeg", None)
        assert stream.key == service.complete(REQUEST).key
        assert not server.heard  # nothing is begun before somebody listens
        assert b"".join(stream) == MP3
        assert stream.speech is not None
        assert (stream.speech.tier, stream.speech.joined) == ("provider", False)
        assert list(stream) == []


def test_a_wrong_request_is_told_at_once() -> None:
    with vendor(Reply()) as (service, server):
        for stream in (service.stream, service.stream_sync):
            with pytest.raises(InvalidSpeechRequest):
                stream(SpeechRequest(TEXT, speed=9))
        assert not server.heard


# What is there


def test_a_stored_clip_is_heard_at_once_in_pieces() -> None:
    with vendor(misbehaving.reset) as (service, server):
        long = sound(TEXT * 4, "wav")
        clip = service.complete(REQUEST).clip()
        service.warm_cache([(TEXT, long)])
        stream = service.stream_sync(REQUEST)
        pieces = list(stream)
        assert b"".join(pieces) == asyncio.run(whole(service.stream(REQUEST))) == long
        assert len(pieces) == -(-len(long) // PIECE) > 1
        assert stream.speech is not None
        assert (stream.speech.tier, stream.speech.key) == ("memory", clip.key)
        assert stream.content_type == "audio/wav"  # what it is, not what the format says
        assert not server.heard


@pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])
def test_a_clip_from_the_database_is_heard() -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="sqlite", persistent_database="audiocache"))
    provider = StubProvider(TTSConfig())
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    made = b"".join(service.stream_sync(REQUEST))
    cache.tiers["memory"].clear()
    stream = service.stream(REQUEST)
    assert asyncio.run(whole(stream)) == made
    assert stream.speech is not None
    assert stream.speech.tier == "persistent"
    assert len(provider.calls) == 1
    cache.close()


# One call


def test_who_wants_it_whole_joins_a_stream() -> None:
    tap = Tap(MP3)
    with vendor(tap) as (service, server), ThreadPoolExecutor(2) as pool:
        tap.let(3)
        stream = service.stream_sync(REQUEST).ready()
        spoken = pool.submit(service.synthesize_sync, REQUEST)
        awaited = pool.submit(lambda: asyncio.run(service.synthesize(REQUEST)))
        time.sleep(0.05)
        assert not spoken.done()
        assert not awaited.done()
        tap.let()
        assert b"".join(stream) == spoken.result(5).audio == awaited.result(5).audio == MP3
        assert spoken.result().joined
        assert len(server.heard) == 1


def test_a_listener_joins_a_call_that_is_no_stream() -> None:
    tap = Tap(MP3)
    with vendor(tap) as (service, server), ThreadPoolExecutor(2) as pool:
        spoken = pool.submit(service.synthesize_sync, REQUEST)
        until(lambda: server.heard)
        stream = service.stream_sync(REQUEST)
        heard = pool.submit(list, stream)
        tap.let()
        assert b"".join(heard.result(5)) == spoken.result(5).audio == MP3
        assert stream.joined
        assert len(server.heard) == 1


def test_a_listener_of_another_format_hears_no_byte_of_this_one() -> None:
    tap = Tap(MP3)
    with vendor(tap) as (service, server), ThreadPoolExecutor(2) as pool:
        tap.let(2)
        stream = service.stream_sync(REQUEST).ready()
        other = pool.submit(list, service.stream_sync(SpeechRequest(TEXT, audio_format="wav")))
        awaited = pool.submit(
            lambda: asyncio.run(whole(service.stream(SpeechRequest(TEXT, audio_format="wav"))))
        )
        time.sleep(0.05)
        tap.let()
        assert b"".join(stream) == MP3
        wav = awaited.result(5)
        assert b"".join(other.result(5)) == wav
        assert read_wav(wav).duration_ms > 1000  # made of the whole mp3
        assert len(server.heard) == 1


# Who leaves, and who is slow


@pytest.mark.parametrize("pieces", [0, 1])
def test_who_leaves_stops_nothing(pieces: int) -> None:
    tap = Tap(MP3)
    with vendor(tap) as (service, server):
        tap.let(1)
        leaving, staying = service.stream_sync(REQUEST), service.stream_sync(REQUEST)
        staying.ready()
        for _ in range(pieces):
            next(leaving)
        leaving.close()
        assert list(leaving) == []
        tap.let()
        assert b"".join(staying) == stored(service) == MP3
        assert not tap.left
        assert len(server.heard) == 1


def test_the_only_listener_leaves_and_the_clip_is_stored() -> None:
    tap = Tap(MP3)
    with vendor(tap) as (service, server):
        tap.let(1)
        next(service.stream_sync(REQUEST))
        tap.let()
        assert stored(service) == MP3
        assert not tap.left
        assert len(server.heard) == 1
        gc.collect()
        assert not channels_of(service.cache)._channels


def test_a_task_that_is_cancelled_stops_nothing() -> None:
    tap = Tap(MP3)

    async def listen(service: TTSService) -> bytes:
        tap.let(1)
        tasks = [asyncio.create_task(whole(service.stream(REQUEST))) for _ in range(3)]
        await service.stream(REQUEST).ready()
        for task in tasks[:2]:  # the one who began it, too
            task.cancel()
        await asyncio.sleep(0.02)
        assert all(task.cancelled() for task in tasks[:2])
        tap.let()
        return await tasks[2]

    with vendor(tap) as (service, server):
        assert asyncio.run(listen(service)) == stored(service) == MP3
        assert len(server.heard) == 1


def test_a_loop_that_has_ended_stops_nothing() -> None:
    tap = Tap(MP3)

    async def begin(service: TTSService) -> None:
        await service.stream(REQUEST).ready()

    with vendor(tap) as (service, _):
        tap.let(1)
        asyncio.run(begin(service))
        tap.let()
        assert stored(service) == MP3


def test_a_slow_listener_slows_nobody() -> None:
    tap = Tap(MP3, pieces=10)
    with vendor(tap, timeout=1) as (service, _):
        tap.let()
        slow = service.stream_sync(REQUEST).ready()
        quick = b"".join(service.stream_sync(REQUEST))
        assert quick == stored(service) == MP3
        time.sleep(1.1)  # past its deadline: what is there is heard whenever it is asked for
        assert b"".join(slow) == MP3


# What goes wrong


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_provider_that_cuts_leaves_no_clip(way: str) -> None:
    tap = Tap(MP3)
    tap.cut_after = 4
    tap.let(1)
    with vendor(tap) as (service, server), attempts() as told:
        heard, error = listened(service, way, then=tap.let)
        assert isinstance(error, ConnectionFailed)
        assert heard == b"".join(tap.pieces[:4])
        assert stored(service) is None
        assert len(server.heard) == 1  # for nobody can hear it from the beginning
        assert [attempt.outcome for attempt in told] == ["connection_failed"]
        tap.cut_after = None
        tap.let()
        assert listened(service, way) == (MP3, None)  # and it is not held against the phrase


def test_all_listeners_get_the_error_and_those_who_come_now_begin_anew() -> None:
    tap = Tap(MP3)
    tap.cut_after = 2
    tap.let(1)
    all_have_heard = threading.Barrier(8, tap.let, timeout=5)
    with vendor(tap) as (service, server), ThreadPoolExecutor(9) as pool:
        ways = ["sync", "async"] * 4
        stream = service.stream_sync(REQUEST).ready()
        spoken = pool.submit(service.synthesize_sync, REQUEST)
        time.sleep(0.1)
        then = all_have_heard.wait
        listeners = [pool.submit(listened, service, way, then) for way in ways]
        for listener in listeners:
            heard, error = listener.result(5)
            assert isinstance(error, ConnectionFailed)
            assert heard == b"".join(tap.pieces[:2])
        assert isinstance(spoken.exception(5), ConnectionFailed)
        with pytest.raises(ConnectionFailed):
            list(stream)
        assert len(server.heard) == 1


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    "replies", [[Reply(503), Reply(429)], [Reply(200, b'{"error": "later"}' * 100, chunk=64)]]
)
def test_it_is_asked_again_while_nobody_has_heard_a_byte(replies: list[Reply], way: str) -> None:
    with vendor(Tap(MP3, pace=0)) as (service, server), without_waits():
        server.next += replies
        assert listened(service, way) == (MP3, None)
        assert len(server.heard) == len(replies) + 1


def test_it_is_asked_again_when_a_cut_one_was_heard_by_nobody() -> None:
    tap = Tap(MP3, pace=0)
    with vendor(tap) as (service, server), without_waits():
        server.next.append(misbehaving.cut_in_a_chunk(MP3[:200]))
        assert listened(service, "sync") == (MP3, None)
        assert len(server.heard) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(401), WrongKey),
        (Reply(500), ProviderDown),
        (Reply(200), NotAudio),
        (Reply(200, b"<html>Sign in, please</html>" * 100, chunk=64), NotAudio),
        (Reply(200, b'{"detail": "quota"}' * 100, chunk=64), NotAudio),
        (Reply(200, sound(TEXT, "wav")), NotAudio),
    ],
)
def test_what_is_no_sound_is_heard_by_nobody(reply: Reply, kind: type[Exception]) -> None:
    def in_a_thread(service: TTSService) -> object:
        return service.stream_sync(REQUEST).ready()

    def in_a_task(service: TTSService) -> object:
        return asyncio.run(service.stream(REQUEST).ready())

    for ready in (in_a_thread, in_a_task):
        with vendor(reply) as (service, _), without_waits():
            with pytest.raises(kind):
                ready(service)
            assert stored(service) is None


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_is_refused_at_its_end_was_heard_and_is_not_stored(way: str) -> None:
    tap = Tap(SILENCE)
    tap.let(1)
    with vendor(tap) as (service, server):
        heard, error = listened(service, way, then=tap.let)
        assert (heard, type(error)) == (SILENCE, NotAudio)
        assert "silent" in str(error)
        assert stored(service) is None
        heard, error = listened(service, way)
        assert (heard, type(error)) == (b"", NotAudio)
        assert len(server.heard) == 1  # the refusal is remembered


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_provider_that_stalls_is_waited_for_until_the_deadline(way: str) -> None:
    tap = Tap(MP3)
    with vendor(tap, timeout=0.4) as (service, _):
        tap.let(2)
        started = time.monotonic()
        heard, error = listened(service, way)
        assert time.monotonic() - started < 0.7
        assert isinstance(error, SpeechTimeout | ProviderTimeout)
        assert heard == b"".join(tap.pieces[:2])
        assert stored(service) is None
        tap.let()


@pytest.mark.parametrize("way", ["sync", "async"])
def test_who_has_heard_it_all_is_not_too_late_when_the_storing_is_slow(way: str) -> None:
    storing = threading.Event()

    def wait(**_: object) -> None:
        storing.wait(5)

    entry_stored.connect(wait)
    try:
        with vendor(Tap(MP3, pace=0), timeout=0.5) as (service, _):
            assert listened(service, way) == (MP3, None)
            storing.set()
            assert stored(service) == MP3
    finally:
        entry_stored.disconnect(wait)


def test_a_stream_without_end_is_given_up_where_it_is_no_more_plausible() -> None:
    start = misbehaving.OK + b"\r\n"
    with vendor(Reply()) as (service, server):
        server.behave = misbehaving.endless(lambda: server, start, MP3)
        provider = service.provider
        assert isinstance(provider, HttpProvider)
        heard, error = listened(service, "sync")
        assert isinstance(error, NotAudio)
        assert len(MP3) < len(heard) <= provider.max_answer(service.complete(REQUEST))
        assert stored(service) is None
        assert len(server.heard) == 1


# Those who cannot stream


def test_sound_inside_json_is_heard_whole() -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    with google.server() as server:
        config = TTSConfig(provider="google", api_key=google.KEY, base_url=server.url)
        service = TTSService(config, cache=cache)
        made = b"".join(service.stream_sync(REQUEST))
        assert made == service.synthesize_sync(REQUEST).audio
        assert len(server.heard) == 1
        service.close()
    cache.close()


@pytest.mark.parametrize("kind", [StubProvider, LocalStub])
def test_a_provider_without_streams_is_heard_whole(
    kind: type[StubProvider], cache: MultiTierAudioCache
) -> None:
    provider = kind(TTSConfig())
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    made = b"".join(service.stream_sync(REQUEST))
    assert asyncio.run(whole(service.stream(REQUEST))) == made
    assert made == service.synthesize_sync(REQUEST).audio
    assert len(provider.calls) == 1


def test_it_works_in_users_tests() -> None:
    with override_speech() as speech:
        made = b"".join(get_tts_service().stream_sync(REQUEST))
        assert asyncio.run(whole(get_tts_service().stream(REQUEST))) == made
        assert speech.texts == [TEXT]


def listened(
    service: TTSService, way: str, then: Callable[[], object] = lambda: None
) -> tuple[bytes, Exception | None]:
    """What was heard, and the error at its end; `then` is called after the first piece."""
    heard = bytearray()

    def hear(piece: bytes) -> None:
        if not heard:
            then()
        heard.extend(piece)

    async def listen() -> None:
        async for piece in service.stream(REQUEST):
            hear(piece)

    try:
        if way == "async":
            asyncio.run(listen())
        else:
            for piece in service.stream_sync(REQUEST):
                hear(piece)
    except Exception as error:
        return bytes(heard), error
    return bytes(heard), None


@contextlib.contextmanager
def attempts() -> Iterator[list[Attempt]]:
    told: list[Attempt] = []

    def hear(attempt: Attempt, **_: object) -> None:
        told.append(attempt)

    attempt_made.connect(hear)
    try:
        yield told
    finally:
        attempt_made.disconnect(hear)
