"""What a provider allows holds for all processes: calls at once, and a pause."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from pytest_django import Settings

from audiocache import (
    CacheConfig,
    MultiTierAudioCache,
    get_audio_cache,
    initialize_audio_cache,
)
from audiocache.entries import Recording
from audiocache.places import Places
from tests.audiocache.conftest import ALIASES, ON_POSTGRESQL, server_url
from tests.tts.doubles import LocalStub, StubProvider
from tests.tts.vendors import elevenlabs
from tests.tts.vendors.server import Heard, Reply, Server
from tts import SpeechRequest, TTSConfig, TTSService, retry
from tts.deadline import Deadline
from tts.exceptions import (
    NotAudio,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    SpeechTimeout,
)
from tts.limits import CallLimits, warming
from tts.making import make

SITE = Path(__file__).parents[1] / "sites" / "limited.py"
PHRASE = "Phrase"
KINDS = [
    "redis",
    pytest.param("sqlite", marks=pytest.mark.chaos),
    pytest.param("postgresql", marks=[ON_POSTGRESQL, pytest.mark.chaos]),
]


class Busy:
    """A vendor that serves so many calls at once, and refuses more; each takes a while."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self.now = self.peak = self.served = self.refused = 0
        self._lock = threading.Lock()

    def __call__(self, line: Any, heard: Heard) -> bool:
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            busy = self.now > self.most
            self.refused += busy
            self.served += not busy
        try:
            if busy:
                return elevenlabs.BUSY(line, heard)
            time.sleep(self.seconds)
        finally:
            # Before the answer is out: who has read it may call again at once.
            with self._lock:
                self.now -= 1
        return elevenlabs.answer(line, heard)


@pytest.fixture(params=KINDS)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of sites that share one kind of tier."""
    site: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    cache: dict[str, Any] = {"PERSISTENT_PATH": str(tmp_path / "cache"), "BACKEND": "sqlite"}
    databases = {"default": site}
    if request.param == "redis":
        cache = {"BACKEND": "redis", "REDIS_URL": server_url(), "REDIS_PREFIX": uuid4().hex}
    elif request.param == "postgresql":
        known = connections[ALIASES["postgresql"]].settings_dict
        words = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
        databases["audiocache"] = {word: known[word] for word in words}
        cache = {"PERSISTENT_DATABASE": "audiocache", "BACKEND": "sqlite"}
    return {"databases": databases, "cache": cache}


@contextmanager
def process(order: dict[str, Any], url: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    tts = {"PROVIDER": "elevenlabs", "API_KEY": elevenlabs.KEY, "BASE_URL": url, **more}
    with subprocess.Popen(
        [sys.executable, str(SITE), json.dumps({"threads": 10, "tts": tts, **order})],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            running.kill()


def begin(*processes: subprocess.Popen[str]) -> None:
    for running in processes:
        assert running.stdout
        assert running.stdout.readline() == "ready\n"
    for running in processes:
        assert running.stdin
        running.stdin.write("\n")
        running.stdin.flush()


def test_must_show_9_four_processes_call_twice_at_once_and_no_more(shared: dict[str, Any]) -> None:
    busy = Busy(2, 0.02)
    orders = [
        shared | {"phrases": [f"{PHRASE} {number}." for number in range(first, 40, 4)]}
        for first in range(4)
    ]
    with Server(busy) as server:
        with (
            process(orders[0], server.url, MAX_CONCURRENT=2) as a,
            process(orders[1], server.url, MAX_CONCURRENT=2) as b,
            process(orders[2], server.url, MAX_CONCURRENT=2) as c,
            process(orders[3], server.url, MAX_CONCURRENT=2) as d,
        ):
            begin(a, b, c, d)
            said = [running.communicate(timeout=60)[0] for running in (a, b, c, d)]
        assert said == ["clips 10\n"] * 4
        assert (busy.peak, busy.served, busy.refused) == (2, 40, 0)


def test_must_show_9_a_retry_after_is_kept_by_all(shared: dict[str, Any]) -> None:
    slow_down = elevenlabs.refusal(429, "rate_limit_exceeded", **{"retry-after": "2"})
    orders = [shared | {"phrases": [f"{PHRASE} {number}."]} for number in range(2)]
    with Server(elevenlabs.answer) as server:
        server.next.append(slow_down)
        with process(orders[0], server.url) as a, process(orders[1], server.url) as b:
            begin(a)
            while not server.heard:
                time.sleep(0.01)
            time.sleep(0.1)  # the answer is on its way
            begin(b)
            assert [running.communicate(timeout=60)[0] for running in (a, b)] == ["clips 1\n"] * 2
        first, *others = [heard.at for heard in server.heard]
        assert len(others) == 2
        assert min(others) >= first + 2


def test_the_place_of_a_killed_process_is_free_at_its_deadline(shared: dict[str, Any]) -> None:
    came, orders = threading.Event(), [shared | {"phrases": [f"{PHRASE} {n}."]} for n in range(2)]

    def hang(line: Any, heard: Heard) -> bool:
        came.set()
        server.closing.wait(60)
        return False

    with Server(elevenlabs.answer) as server:
        server.next.append(hang)
        with (
            process(orders[0], server.url, MAX_CONCURRENT=1, TIMEOUT=1) as holder,
            process(orders[1], server.url, MAX_CONCURRENT=1, TIMEOUT=10) as next_one,
        ):
            begin(holder)
            assert came.wait(20)
            holder.send_signal(signal.SIGKILL)
            begin(next_one)
            assert next_one.communicate(timeout=60)[0] == "clips 1\n"
        [waited] = server.waits
        assert waited < 1 + 1 + 1.5  # its time, the margin, a busy machine


class TestCallLimits:
    """In one process, by a local rule alone."""

    def limits(self, provider: StubProvider, most: int | None = 1) -> CallLimits:
        return CallLimits(provider, most, Places([]))

    def test_who_waits_too_long_is_told_so(self, provider: StubProvider) -> None:
        limits = self.limits(provider)
        with limits.place(Deadline.after(1), Deadline.after(1)):
            assert limits.stats() == {"max_concurrent": 1, "calling": 1, "waiting": 0}
            with (
                pytest.raises(SpeechTimeout, match="TTS_MAX_CONCURRENT"),
                limits.place(Deadline.after(0.05), Deadline.after(1)),
            ):
                pass
        assert limits.stats() == {"max_concurrent": 1, "calling": 0, "waiting": 0}

    def test_time_in_the_queue_is_no_part_of_the_call_s(self, provider: StubProvider) -> None:
        limits, deadline = self.limits(provider), Deadline.after(1)
        with ThreadPoolExecutor(1) as pool:
            with limits.place(Deadline.after(1), Deadline.after(1)):
                waiter = pool.submit(self.hold, limits, deadline)
                time.sleep(0.2)
            assert waiter.result() > 0.9

    def hold(self, limits: CallLimits, deadline: Deadline) -> float:
        with limits.place(Deadline.after(5), deadline):
            return deadline.remaining()

    def test_live_requests_come_before_warming(self, provider: StubProvider) -> None:
        limits, order = self.limits(provider), []

        def ask(name: str) -> None:
            with limits.place(Deadline.after(5), Deadline.after(5)):
                order.append(name)

        def warm() -> None:
            with warming():
                ask("warming")

        jobs: list[Callable[[], None]] = [warm, warm, lambda: ask("live")]
        with (
            ThreadPoolExecutor(3) as pool,
            limits.place(Deadline.after(5), Deadline.after(5)),
        ):
            for waiting, job in enumerate(jobs, 1):
                pool.submit(job)
                while limits.stats()["waiting"] != waiting:
                    time.sleep(0.001)
        assert order == ["live", "warming", "warming"]

    def test_a_pause_longer_than_the_queue_is_an_error_at_once(
        self, provider: StubProvider
    ) -> None:
        limits = self.limits(provider, None)
        limits.heed(RateLimited("no", provider="stub", retry_after=30))
        with (
            pytest.raises(RateLimited, match="asked all to wait") as caught,
            limits.place(Deadline.after(5), Deadline.after(5)),
        ):
            pass
        assert 29 < (caught.value.retry_after or 0) <= 30

    @pytest.mark.parametrize(
        ("error", "paused"),
        [
            (RateLimited("no", status=429, retry_after=30), True),
            (ProviderDown("no", status=503, retry_after=30), True),
            (ProviderDown("no", status=529, retry_after=30), True),
            (ProviderDown("no", status=500, retry_after=30), False),
            (RequestRefused("no", status=404, retry_after=30), False),
            (QuotaSpent("no", status=402, retry_after=30), False),
            (NotAudio("no", status=200, retry_after=30), False),
        ],
    )
    def test_only_a_busy_provider_makes_all_wait(
        self, provider: StubProvider, error: ProviderError, *, paused: bool
    ) -> None:
        limits = self.limits(provider, None)
        limits.heed(error)
        wait = pytest.raises(RateLimited) if paused else nullcontext()
        with wait, limits.place(Deadline.after(5), Deadline.after(5)):
            pass

    def test_who_asks_again_keeps_to_what_others_were_told(self, provider: StubProvider) -> None:
        limits, calls = self.limits(provider, None), []

        def told(recording: Recording) -> Recording:
            calls.append(time.monotonic())
            if len(calls) == 1:
                limits.heed(RateLimited("no", status=429, retry_after=0.4))  # another call
                raise ProviderDown("no", status=500)
            return recording

        provider.answer = told
        request = provider.complete(SpeechRequest("Hello there"))
        with retry.without_waits():
            make(provider, request, 10, limits)
        assert calls[1] - calls[0] >= 0.4

    def test_what_one_was_told_itself_is_not_waited_out_twice(self, provider: StubProvider) -> None:
        limits = self.limits(provider, None)
        provider.answer = refused_once = Once(RateLimited("no", status=429, retry_after=30))
        with retry.without_waits():
            make(provider, provider.complete(SpeechRequest("Hello there")), 60, limits)
        assert refused_once.calls == 2


class Once:
    """The first answer is an error."""

    def __init__(self, error: Exception) -> None:
        self.calls = 0
        self._error = error

    def __call__(self, recording: Recording) -> Recording:
        self.calls += 1
        if self.calls == 1:
            raise self._error
        return recording


@pytest.fixture
def redis_cache() -> Iterator[MultiTierAudioCache]:
    config = CacheConfig(backend="redis", redis_url=server_url(), redis_prefix=uuid4().hex)
    cache = MultiTierAudioCache(config)
    yield cache
    cache.close()


class TestWarmingGivesWay:
    """To live requests; here each of `CallLimits` is a process."""

    def test_a_warming_that_waits_is_in_nobody_s_way(
        self, provider: StubProvider, redis_cache: MultiTierAudioCache
    ) -> None:
        limits, done = CallLimits(provider, 2, redis_cache.places), threading.Event()

        def warm() -> None:
            with warming(), limits.place(Deadline.after(20), Deadline.after(20)):
                done.wait(20)

        with ThreadPoolExecutor(2) as pool:
            warmings = [pool.submit(warm) for _ in range(2)]
            try:
                while not limits.stats()["calling"]:
                    time.sleep(0.001)
                time.sleep(0.1)  # the other waits now
                with limits.place(Deadline.after(5), Deadline.after(5)):
                    assert not any(one.done() for one in warmings)
            finally:
                done.set()
            for one in warmings:
                one.result(20)

    def test_a_live_request_waits_for_one_warming_call_at_most(
        self, provider: StubProvider, redis_cache: MultiTierAudioCache
    ) -> None:
        live, other = (CallLimits(provider, 1, redis_cache.places) for _ in range(2))
        begun, over = [], threading.Event()

        def warm() -> None:
            while not over.is_set():
                with warming(), other.place(Deadline.after(20), Deadline.after(20)):
                    begun.append(time.monotonic())
                    time.sleep(0.05)

        with ThreadPoolExecutor(1) as pool:
            warmer = pool.submit(warm)
            try:
                for _ in range(4):
                    before = len(begun)
                    while len(begun) == before:
                        time.sleep(0.001)
                    before = len(begun)
                    with live.place(Deadline.after(5), Deadline.after(5)):
                        # One may have been between its look and its place.
                        assert len(begun) <= before + 1
            finally:
                over.set()
            warmer.result(20)


def fit(cache: MultiTierAudioCache, name: str) -> int:
    """How many calls at once are allowed now."""
    places = [cache.places.take(name, 10, 60_000) for _ in range(10)]
    for place in places:
        if place:
            place.give_back()
    return sum(place is not None for place in places)


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({"maximum-concurrent-requests": "3"}, 3),
        ({"maximum-concurrent-requests": "12"}, 10),
        ({}, 10),
        ({"maximum-concurrent-requests": "many"}, 10),
    ],
)
def test_the_limit_is_learnt_from_headers(
    redis_cache: MultiTierAudioCache, said: dict[str, str], allowed: int
) -> None:
    def answer(line: Any, heard: Heard) -> bool:
        whole = elevenlabs._reply(heard)
        kept = {k: v for k, v in whole.headers.items() if "concurrent" not in k}
        return Reply(200, whole.body, {**kept, **said})(line, heard)

    with Server(answer) as server, speaking(redis_cache, server.url) as service:
        service.synthesize_text_sync(f"{PHRASE} one.")
        assert fit(redis_cache, service.provider.account) == allowed


def test_a_limit_that_the_provider_says_holds_until_it_says_another(
    redis_cache: MultiTierAudioCache,
) -> None:
    said = {"maximum-concurrent-requests": "3"}

    def answer(line: Any, heard: Heard) -> bool:
        whole = elevenlabs._reply(heard)
        kept = {k: v for k, v in whole.headers.items() if "concurrent" not in k}
        return Reply(200, whole.body, {**kept, **said})(line, heard)

    for rung in redis_cache.ladder.rungs:
        if rung.tier.places:
            rung.tier.places.creep_ms = 20
    with Server(answer) as server, speaking(redis_cache, server.url) as service:
        name = service.provider.account
        service.synthesize_text_sync(f"{PHRASE} one.")
        time.sleep(0.1)
        assert fit(redis_cache, name) == 3
        said["maximum-concurrent-requests"] = "12"
        service.synthesize_text_sync(f"{PHRASE} two.")
        assert fit(redis_cache, name) == 10


def test_the_limit_is_learnt_from_refusals(redis_cache: MultiTierAudioCache) -> None:
    with Server(elevenlabs.answer) as server, speaking(redis_cache, server.url) as service:
        server.next.extend([elevenlabs.BUSY] * 2)
        with retry.without_waits():
            service.synthesize_text_sync(f"{PHRASE} one.")
        assert len(server.heard) == 3
        # Two refusals, and then an answer whose header allows 5.
        assert fit(redis_cache, service.provider.account) == 5
        server.next.extend([elevenlabs.BUSY] * 4)
        with retry.without_waits(), pytest.raises(RateLimited):
            service.synthesize_text_sync(f"{PHRASE} two.")
        assert fit(redis_cache, service.provider.account) == 1


def test_one_refusal_a_day_is_not_the_sum_of_all_days(redis_cache: MultiTierAudioCache) -> None:
    """What was narrowed has grown back before the next one."""
    provider = StubProvider(TTSConfig())
    limits = CallLimits(provider, 10, redis_cache.places)
    stores = [rung.tier.places for rung in redis_cache.ladder.rungs if rung.tier.places]
    refused = RateLimited("no", provider="stub", status=429)
    refused.at_once = True
    for _ in range(9):
        for store in stores:
            store.creep_ms = 1
        time.sleep(0.02)
        limits.heed(refused)
        for store in stores:
            store.creep_ms = 30_000
        assert fit(redis_cache, provider.account) == 9


@contextmanager
def speaking(cache: MultiTierAudioCache, url: str) -> Iterator[TTSService]:
    config = TTSConfig(
        provider="elevenlabs", api_key=elevenlabs.KEY, base_url=url, max_concurrent=10
    )
    service = TTSService(config, cache=cache)
    yield service
    service.close()


def test_a_local_provider_has_no_limits() -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    provider = LocalStub(TTSConfig(max_concurrent=1))
    service = TTSService(provider.config, cache=cache, provider=provider)
    with service.limits.place(Deadline.after(5), Deadline.after(5)):
        assert service.synthesize_sync(SpeechRequest("Hello there")).audio


def test_places_are_those_of_the_cache_that_the_process_has_now(settings: Settings) -> None:
    settings.AUDIOCACHE = {"BACKEND": "memory"}
    config = TTSConfig(max_concurrent=2)
    service = TTSService(config, provider=StubProvider(config))
    limits = service.limits
    for _ in range(2):
        assert service.limits is limits  # its gate and what it was told stay
        assert limits.places is get_audio_cache().places
        initialize_audio_cache()
