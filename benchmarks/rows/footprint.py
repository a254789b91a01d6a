"""B1: what an entry takes beside its audio in each tier; whether a process grows with its use."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import redis
from django.db import connections

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import CacheConfig
from audiocache.tiers.distributed import DistributedTier
from audiocache.tiers.persistent import PersistentTier
from benchmarks.bare import Bare, open_tier
from benchmarks.cases import Case, Figure, Fixed
from benchmarks.clips import VARIANT, Clips, K
from benchmarks.stage import Stage

ENTRIES: Final = 10_000
BYTES: Final = 4096
STORED: Final = 500
CLIP: Final = 48 * K
WARM: Final = 0.1
"""The share of the calls after which a process has what it needs."""


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """One is counted by Python, one by the kernel."""
    calls = stage.size(200_000, 20_000)
    with closing(MultiTierAudioCache(stage.config())) as cache:
        yield [
            Case(
                "B1",
                f"memory, Python's bytes an entry of {BYTES // 1024} KiB beside its audio",
                Fixed("-", 1),
                Figure("ours", lambda: (_beside_the_audio(), "")),
                1536,
                unit="B",
                rounds=1,
            ),
            Case(
                "B1",
                f"resident size after {calls:,} puts and gets, times that after a tenth of them",
                Fixed("-", 1),
                Figure("ours", lambda: (_growth(cache, calls), "")),
                1.05,
                unit="x",
                rounds=1,
            ),
            *(_beside(tier, partial(take, stage), goal) for tier, take, goal in STORES),
        ]


def _beside(store: str, take: Callable[[], float], goal: int) -> Case:
    name = f"{store}, bytes an entry of {CLIP // 1024} KiB beside its audio"
    ours = Figure("ours", lambda: (take(), ""))
    return Case("B1", name, Fixed("-", 1), ours, goal, unit="B", rounds=1)


def _in_sqlite(stage: Stage) -> float:
    with closing(open_tier(stage.config(persistent_max_mb=0))) as tier:
        clips = _clips()
        bare = Bare(clips, tier)
        for entry in clips.entries.values():
            tier.put_many([entry])
        bare.driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(bare.path).stat().st_size / STORED - CLIP


def _in_postgresql(_: Stage) -> float:
    """After a VACUUM FULL: without what updates and deletions leave behind."""
    with closing(PersistentTier.from_config(CacheConfig(persistent_database="audiocache"))) as tier:
        tier.clear()
        for entry in _clips().entries.values():
            tier.put_many([entry])
        with connections["audiocache"].cursor() as cursor:
            cursor.execute("VACUUM FULL audiocache_entry")
            cursor.execute("SELECT pg_total_relation_size('audiocache_entry')")
            size: int = cursor.fetchone()[0]
    return size / STORED - CLIP


def _in_redis(stage: Stage) -> float:
    config = stage.config(redis_url=stage.redis_url)
    with (
        closing(redis.Redis.from_url(stage.redis_url)) as server,
        closing(DistributedTier.from_config(config)) as tier,
    ):
        before: int = server.info("memory")["used_memory"]
        tier.put_many(list(_clips().entries.values()))
        after: int = server.info("memory")["used_memory"]
        return (after - before) / STORED - CLIP


STORES: Final[list[tuple[str, Callable[[Stage], float], int]]] = [
    ("SQLite", _in_sqlite, 2048),
    ("PostgreSQL", _in_postgresql, 6144),
    ("Redis", _in_redis, 2048),
]


def _clips() -> Clips:
    return Clips(STORED, CLIP)


def _beside_the_audio() -> float:
    """With the memo that finds the key by the text."""
    config = CacheConfig(backend="memory", memory_max_size=ENTRIES, memory_max_mb=1000)
    with closing(MultiTierAudioCache(config)) as cache:
        cache.put("the first", b"loads what is loaded once")
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            _speak(cache, range(ENTRIES))
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return (after - before) / ENTRIES - BYTES


def _growth(cache: MultiTierAudioCache, calls: int) -> float:
    """Each phrase is new, so that every tier evicts, and asked for once more."""
    warm = int(calls * WARM)
    _speak(cache, range(warm))
    before = _resident()
    _speak(cache, range(warm, calls))
    return _resident() / before


def _speak(cache: MultiTierAudioCache, numbers: range) -> None:
    for number in numbers:
        text = f"Welcome to platform {number:07}, the next train leaves in a minute"
        cache.put(text, number.to_bytes(BYTES, "big"), **VARIANT)
        assert cache.get(text, **VARIANT) is not None


def _resident() -> int:
    """Bytes of this process that lie in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
