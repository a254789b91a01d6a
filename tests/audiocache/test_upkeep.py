"""Counters and hit times are written in batches: by the pulse, when asked, and never twice."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connections

from audiocache import care, touches, upkeep
from audiocache.exceptions import TierUnavailable
from audiocache.lru import ByteLRU
from audiocache.models import AudioCacheEntry
from audiocache.pulse import pulse
from audiocache.stats import is_latency
from audiocache.tiers.memory import MemoryTier
from audiocache.tiers.sql.connection import OwnConnection
from tests.audiocache.conftest import ALIASES, DATABASES, ON_SQLITE, NewCache, NewTier
from tests.factories import NOW, FakeClock


class Kept(MemoryTier):
    """A tier that keeps counters, and may refuse to."""

    keeps_counts = True
    inline = False
    name = "persistent"

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(ByteLRU(100, 10**6, clock=clock), clock)
        self.totals: dict[str, int] = {}
        self.touches: list[dict[str, int]] = []
        self.instants: list[int] = []
        self.broken = False

    def add_counts(self, deltas: Mapping[str, int], now: int) -> bool:
        if self.broken:
            raise TierUnavailable("gone")
        for name, delta in deltas.items():
            self.totals[name] = self.totals.get(name, 0) + delta
        return True

    def read_counts(self) -> dict[str, int]:
        return dict(self.totals)

    def touched(self, hits: Mapping[str, int], now: int) -> None:
        self.touches.append(dict(hits))
        self.instants.append(now)


@pytest.fixture
def kept(clock: FakeClock) -> Kept:
    return Kept(clock)


def test_each_count_is_written_once(new_cache: NewCache, new_tier: NewTier, kept: Kept) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.put("a", b"1")
    cache.get("a")
    cache.flush()
    assert (kept.totals["memory.hits"], kept.totals["memory.puts"]) == (1, 1)
    cache.flush()
    assert kept.totals["memory.hits"] == 1
    cache.get("a")
    assert cache.get_installation_stats()["memory.hits"] == 2
    assert 0 not in kept.totals.values()


def test_what_could_not_be_written_is_kept_for_the_next_time(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.put("a", b"1")
    cache.get("a")
    kept.broken = True
    cache.flush()
    assert kept.totals == {}
    kept.broken = False
    cache.get("a")
    cache.ladder.rungs[1].circuit.worked()
    cache.flush()
    assert kept.totals["memory.hits"] == 2


def test_hits_are_told_in_the_order_of_their_last_use(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    keys = {text: cache.put(text, b"1") for text in "abc"}
    for text in "abca":
        cache.get(text)
    assert kept.touches == []
    cache.flush()
    assert list(kept.touches[0].items()) == [(keys["b"], 1), (keys["c"], 1), (keys["a"], 2)]
    cache.flush()
    assert len(kept.touches) == 1


def test_the_hits_remembered_are_bounded(
    new_cache: NewCache, new_tier: NewTier, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "REMEMBERED", 50)
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.put("a", b"1")
    for _ in range(60):
        cache.get("a")
    cache.flush()
    assert sum(kept.touches[0].values()) == 50


def test_many_hits_are_told_in_portions_and_the_pulse_does_other_work_between(
    new_cache: NewCache, new_tier: NewTier, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care, "PORTION", 2)
    monkeypatch.setattr("audiocache.pulse.AT_ONCE_SECONDS", 0)
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.put("a", b"1")
    cache.ladder.touches.add_all("abcabde")

    class Other:
        """Extends leases, say: it counts how often hits were told before."""

        def __init__(self) -> None:
            self.seen: list[int] = []
            self.ended = threading.Event()

        def beat(self) -> float:
            self.seen.append(len(kept.touches))
            if len(kept.touches) == 3:
                self.ended.set()
            return 0.0

    other = Other()
    pulse.every(0, other.beat)
    pulse.soon(cache._upkeep.beat)
    assert other.ended.wait(10)
    assert {1, 2, 3} <= set(other.seen)
    assert kept.touches == [{"c": 1, "a": 2}, {"b": 2, "d": 1}, {"e": 1}]
    assert kept.instants == [NOW - 3, NOW - 1, NOW]


def test_who_flushes_tells_all_hits_however_many(
    new_cache: NewCache, new_tier: NewTier, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care, "PORTION", 2)
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.ladder.touches.add_all("abcabde")
    assert not cache._upkeep.flush(0)
    cache.ladder.touches.add_all("ac")
    cache.flush()
    assert kept.touches == [{"c": 1, "a": 2}, {"b": 2, "d": 1}, {"e": 1, "a": 1}, {"c": 1}]
    cache.flush()
    assert len(kept.touches) == 4


def test_the_pulse_does_not_wait_for_another_who_flushes(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.ladder.touches.add("00" * 32)
    flushing = threading.Thread(target=cache._upkeep.flush, args=(0,), daemon=True)
    with cache._upkeep._lock:
        flushing.start()
        flushing.join(5)
        assert not flushing.is_alive()
    assert kept.touches == []


def test_two_that_flush_at_once_share_what_there_is(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])

    class Emptied(deque[str]):
        def __len__(self) -> int:
            return 3

    cache.ladder.touches._keys = Emptied(["00" * 32])
    cache.ladder.flush_touches()
    assert kept.touches == [{"00" * 32: 1}]


def test_a_child_writes_nothing_that_its_parent_counted(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.put("a", b"1")
    cache.get("a")
    cache._upkeep._lock.acquire()  # by a thread that the child does not have
    cache._upkeep.after_fork()
    cache.get("absent")
    cache.flush()
    counted = {name: number for name, number in kept.totals.items() if not is_latency(name)}
    assert counted == {"memory.misses": 1, "persistent.misses": 1}
    assert kept.touches == []


def test_losses_of_tiers_are_counted_too(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory", max_bytes=1), kept])
    cache.put("a", b"large")
    cache.flush()
    assert kept.totals["memory.oversize"] == 1


class Opened(Kept):
    """A tier with a connection for each thread."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.closed = threading.Event()

    def release(self) -> None:
        if pulse.is_here():
            self.closed.set()


def test_when_a_cache_is_closed_the_pulse_closes_what_it_has_opened(
    new_cache: NewCache, new_tier: NewTier, clock: FakeClock
) -> None:
    """At once: of a cache that is gone by then it would never be asked to."""
    opened = Opened(clock)
    cache = new_cache(tiers=[new_tier("memory"), opened])
    cache.put("a", b"1")
    cache.close()
    assert opened.closed.wait(4)


def test_who_only_removes_by_key_is_looked_after_too(
    new_cache: NewCache, new_tier: NewTier, kept: Kept
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), kept])
    cache.discard_many(["00" * 32])
    assert pulse.running


def test_memory_alone_needs_no_pulse(new_cache: NewCache, new_tier: NewTier) -> None:
    cache = new_cache(tiers=[new_tier("memory")])
    cache.put("a", b"1")
    cache.get("absent")
    cache.clear()
    assert not pulse.running
    assert cache.get_installation_stats() == {}


@ON_SQLITE
def test_the_pulse_writes_what_was_counted(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setattr(upkeep, "FLUSH_SECONDS", 0.02)
    cache = new_cache("sqlite")
    pulse.stop()  # another test's
    before = pulse.running
    cache.put("a", b"1")
    assert (before, pulse.running) == (False, True)
    clock.now += 5
    cache.get("a")
    rows = AudioCacheEntry.objects
    found: Any = None
    for _ in range(1000):
        found = rows.get()
        if found.hits:
            break
        pulse._wake.wait(0.01)
    assert (found.hits, found.used) == (1, NOW + 5)


def test_while_it_is_used_the_pulse_stays_connected_to_a_server(
    new_cache: NewCache, sql_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it flushes; a file is closed, and a server's connection once nothing happens."""
    monkeypatch.setattr(OwnConnection, "is_test", False)  # that of a site's
    cache = new_cache(sql_kind)
    connection = connections[ALIASES[sql_kind]]
    cache.put("a", b"1")
    cache._upkeep.beat()
    assert (connection.connection is not None) == (sql_kind == "postgresql")
    cache.ladder.following.beat()
    cache.ladder.following.beat()
    cache._upkeep.beat()
    assert connection.connection is None


@pytest.mark.parametrize("kind", DATABASES)
def test_a_test_runs_database_is_let_go_of_at_once(new_cache: NewCache, kind: str) -> None:
    cache = new_cache(kind)
    cache.put("a", b"1")
    cache._upkeep.beat()
    assert connections[ALIASES[kind]].connection is None
