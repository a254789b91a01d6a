"""Many at once: limits, totals and first use hold (law 8), and Redis may go (law 3)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.cache import MultiTierAudioCache as Cache
from audiocache.lru import ByteLRU
from audiocache.tiers.distributed import DistributedTier
from audiocache.tiers.memory import MemoryTier
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.redis_connection import RedisConnection, connect
from audiocache.tiers.sql.batches import BATCH
from audiocache.tiers.sql.room import EVICT_ROWS
from project.servers import RedisServer, start_redis

KIB = 1024
THREADS = 16
FIRST_USE = Path(__file__).parents[1] / "sites" / "first_use.py"

pytestmark = pytest.mark.django_db(
    transaction=True, databases=["default", "audiocache", "audiocache_pg"]
)


def together(number: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run `work(n)` in so many threads; what they raised."""
    errors: list[BaseException] = []

    def guarded(n: int) -> None:
        try:
            work(n)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.fixture(params=["audiocache", pytest.param("audiocache_pg", marks=pytest.mark.chaos)])
def small_cache(request: pytest.FixtureRequest) -> Iterator[Cache]:
    """Room for 40 clips of 4 KiB in memory, and for 100 rows or 600 KiB in the table."""
    memory = MemoryTier(ByteLRU(1000, 160 * KIB))
    table = PersistentTier(request.param, max_entries=100, max_bytes=600 * KIB)
    cache = MultiTierAudioCache(CacheConfig(), tiers=[memory, table])
    yield cache
    cache.close()


@contextmanager
def watched(look: Callable[[], None]) -> Iterator[None]:
    """Look on and on, from a thread of its own, while something happens."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):  # the others are to come on, too
            look()
        connections.close_all()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@pytest.mark.untraced
def test_law_8_sixteen_threads_never_pass_the_limits(small_cache: Cache) -> None:
    memory, table = small_cache.tiers["memory"], small_cache.tiers["persistent"]
    assert isinstance(memory, MemoryTier)
    assert isinstance(table, PersistentTier)
    most = [0, 0, 0]

    def work(number: int) -> None:
        chance = random.Random(number)
        for step in range(60):
            text = f"phrase {chance.randrange(300)}"
            small_cache.put(text, os.urandom(chance.randrange(1, 8 * KIB)), tags=["all"])
            if step % 5 == 0:
                small_cache.put(text, b"gone soon", ttl_seconds=0.001)
            if step % 7 == 0:
                small_cache.remove(text, all_variants=True)
            small_cache.get(f"phrase {chance.randrange(300)}")

    def look() -> None:
        held = list(map(memory.store.peek, memory.store.keys()))
        most[0] = max(most[0], sum(len(entry.audio) for entry in held if entry))
        rows, size = sums(table)
        most[1], most[2] = max(most[1], rows), max(most[2], size)

    with watched(look):
        errors = together(THREADS, work)
    assert errors == []
    assert most[0] <= 160 * KIB
    assert most[1] <= 100 + EVICT_ROWS
    assert most[2] <= 600 * KIB + EVICT_ROWS * 8 * KIB
    assert table.stats()["entry_count"] == sums(table)[0] <= 100
    assert table.stats()["total_size_bytes"] == sums(table)[1] <= 600 * KIB
    assert small_cache.get_comprehensive_stats()["performance"]["errors"]["persistent"] == 0


@pytest.mark.untraced
def test_law_8_sixteen_threads_of_batches_pass_the_limits_by_one_batch_at_most(
    small_cache: Cache,
) -> None:
    table = small_cache.tiers["persistent"]
    assert isinstance(table, PersistentTier)
    most = [0, 0]

    def work(number: int) -> None:
        for step in range(3):
            clips = [(f"phrase {number} {step} {n}", os.urandom(2 * KIB)) for n in range(BATCH)]
            assert small_cache.warm_cache(clips) == BATCH

    def look() -> None:
        most[:] = map(max, most, sums(table))

    with watched(look):
        errors = together(THREADS, work)
    assert errors == []
    assert most[0] <= 100 + BATCH
    assert most[1] <= 600 * KIB + BATCH * 2 * KIB
    assert table.stats()["entry_count"] == sums(table)[0] <= 100
    assert small_cache.get_comprehensive_stats()["performance"]["errors"]["persistent"] == 0


def sums(table: PersistentTier) -> tuple[int, int]:
    """What really lies in the table."""
    with connections[table._database.alias].cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(audio)), 0) FROM audiocache_entry")
        rows, size = cursor.fetchone()
    return int(rows), int(size)


def test_four_processes_of_eight_threads_use_a_new_folder_at_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, str(FIRST_USE), str(tmp_path / "new")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(FIRST_USE.parents[2])},
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert said == [["stored 8"]] * 4


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that this test may stop."""
    with start_redis() as server:
        yield server


def redis_tier(server: RedisServer) -> DistributedTier:
    config = CacheConfig(redis_url=server.url, redis_max_connections=10)
    return DistributedTier(RedisConnection(connect(config), config.redis_max_connections))


@pytest.mark.untraced
def test_law_3_redis_stops_in_the_middle_and_no_caller_sees_an_error(
    own_redis: RedisServer,
) -> None:
    cache = MultiTierAudioCache(CacheConfig(), tiers=[redis_tier(own_redis)])
    for number in range(20):
        cache.put(f"phrase {number}", b"sound")
    answers: list[bytes | None] = []

    def work(number: int) -> None:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            answers.append(cache.get(f"phrase {number}"))
            cache.put(f"other {number}", b"sound")

    stopper = threading.Timer(0.5, own_redis.stop)
    stopper.start()
    errors = together(8, work)
    stopper.join()
    assert errors == []
    assert set(answers) == {b"sound", None}
    assert cache.get_comprehensive_stats()["backends"]["distributed"]["available"] is False
    cache.close()


@pytest.mark.untraced
def test_sixty_four_threads_on_ten_connections_see_no_error_and_no_miss(
    own_redis: RedisServer,
) -> None:
    cache = MultiTierAudioCache(CacheConfig(), tiers=[redis_tier(own_redis)])
    cache.put("Hello", b"s" * 48 * KIB)
    missed: list[int] = []

    def work(number: int) -> None:
        missed.extend(number for _ in range(30) if cache.get("Hello") is None)

    assert together(64, work) == []
    assert missed == []
    performance = cache.get_comprehensive_stats()["performance"]
    assert performance["errors"]["distributed"] == 0
    assert performance["hits"]["distributed"] == 64 * 30
    cache.close()
