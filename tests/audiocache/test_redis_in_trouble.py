"""Redis as it should not be, under load: no error, no wrong sound, and all well afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import pytest
import redis

from audiocache import MultiTierAudioCache
from audiocache.tiers.redis_connection import USE_SECONDS
from project.servers import RedisServer, start_redis
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.load import LENGTHS, Load
from tests.proxies.faults import FAULTS, Fault, FaultProxy

SLACK = 0.5
"""Seconds that a loaded machine may add."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with start_redis("--enable-debug-command", "yes") as redis_server:
        yield redis_server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as between:
        yield between


@pytest.fixture
def at(new_cache: NewCache, new_tier: NewTier, prefix: str) -> Callable[[str], MultiTierAudioCache]:
    """A cache whose Redis is at an address, asked before the database."""

    def make(url: str) -> MultiTierAudioCache:
        tiers = [
            new_tier("memory", max_entries=20),
            new_tier("redis", redis_url=url),
            new_tier("sqlite"),
        ]
        return new_cache(tiers=tiers)

    return make


def eventually(holds: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def assert_well(here: MultiTierAudioCache, there: MultiTierAudioCache) -> None:
    """Two caches see one another's clips in Redis, without a restart."""

    def shared() -> bool:
        here.put("after all", b"after all|")
        there.get("absent")
        found = there.tiers["distributed"]
        rung = next(rung for rung in there.ladder.rungs if rung.tier is found)
        if not rung.circuit.available:
            return False
        return found.get(there.clip("after all").key) is not None

    eventually(shared)
    assert here.get("after all") == there.get("after all") == b"after all|"
    assert here.remove("after all")
    assert there.tiers["distributed"].get(there.clip("after all").key) is None


@contextmanager
def under_load(cache: MultiTierAudioCache, seconds: float) -> Iterator[Load]:
    """The fault comes when a third has passed."""
    with Load(cache, seconds) as load:
        time.sleep(load.seconds / 3)
        yield load
    assert load.errors == []
    assert load.wrong == []


@pytest.mark.untraced
@ON_SQLITE
@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault in {"silence", "reset"} else pytest.mark.chaos)
        for fault in FAULTS
    ],
)
def test_a_line_in_trouble_costs_no_error_and_no_wrong_sound(
    at: Callable[[str], MultiTierAudioCache],
    server: RedisServer,
    proxy: FaultProxy,
    fault: Fault,
    seconds: float,
) -> None:
    here, there = at(proxy.url), at(server.url)
    with under_load(here, seconds) as load:
        proxy.become(fault)
        time.sleep(load.fault)
        proxy.become("")
    assert here.recorder.performance()["errors"]["distributed"] > 0
    assert_well(here, there)


@pytest.mark.untraced
@pytest.mark.parametrize("fault", ["silence", "drip", "refuse"])
def test_the_first_call_pays_for_an_outage_and_no_other_does(
    new_cache: NewCache, new_tier: NewTier, proxy: FaultProxy, fault: Fault
) -> None:
    """Twenty threads at ten places: at most one slow call of each, and then microseconds."""
    cache = new_cache(tiers=[new_tier("redis", redis_url=proxy.url)])
    cache.put("Hello", b"sound")
    proxy.become(fault)
    took: list[list[float]] = [[] for _ in range(20)]
    began = threading.Barrier(len(took))

    def work(times: list[float]) -> None:
        began.wait(10)
        for _ in range(200):
            started = time.monotonic()
            assert cache.get("Hello") is None
            times.append(time.monotonic() - started)

    threads = [threading.Thread(target=work, args=(times,)) for times in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [len(times) for times in took] == [200] * 20
    # Of each thread one waited, give or take what a busy machine adds; then nobody does. How quick
    # that is, is not measured here.
    assert max(map(max, took)) < USE_SECONDS + SLACK
    assert sum(one > USE_SECONDS / 2 for times in took for one in times) < 3 * len(took)
    assert median(one for times in took for one in times[100:]) < USE_SECONDS / 10


def test_no_caller_pays_for_a_probe_while_the_pulse_runs(
    new_cache: NewCache, new_tier: NewTier, server: RedisServer, proxy: FaultProxy
) -> None:
    cache = new_cache(tiers=[new_tier("redis", redis_url=proxy.url)])
    cache.put("Hello", b"sound")
    proxy.become("silence")
    assert cache.get("Hello") is None
    until, slowest = time.monotonic() + 2.2, 0.0  # probes after 0.5 s and 1 s more
    before = len(connections_of(server))
    while time.monotonic() < until:
        started = time.monotonic()
        assert cache.get("Hello") is None
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.01)
    assert slowest < USE_SECONDS * 0.9  # that is what a probe takes
    assert cache.recorder.performance()["errors"]["distributed"] == 1
    assert len(connections_of(server)) >= before
    proxy.become("")
    eventually(lambda: cache.get("Hello") == b"sound")


def connections_of(server: RedisServer) -> list[dict[str, str]]:
    with redis.Redis.from_url(server.url) as client:
        found: list[dict[str, str]] = client.client_list()
        return found
