"""M1 to M4: the store in memory, through the tier."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain, starmap
from time import perf_counter_ns
from typing import Any, Final
from uuid import uuid4

import cachetools
from django.core.cache.backends.locmem import LocMemCache

from audiocache.lru import ByteLRU
from audiocache.tiers.memory import MemoryTier
from benchmarks.cases import Case, Figure, Fixed, Loop
from benchmarks.clips import Clips, K, is_none
from benchmarks.stage import Stage

ENTRIES: Final = 1000
MIB: Final = 2**20
THREADS: Final = 8
MANY: Final = 100_000


@contextmanager
def cases(_: Stage) -> Iterator[list[Case]]:
    """On 1,000 entries."""
    sizes = [Clips(ENTRIES, size * K) for size in (4, 48)]
    with ThreadPoolExecutor(THREADS) as pool:
        yield [
            *(case for clips in sizes for case in (_hit(clips), _miss(clips))),
            *map(_put, sizes),
            _worst_put(),
            _in_threads(sizes[0], pool),
        ]


class LockedTtl:
    """cachetools' cache with expiry behind a lock, as its documentation says."""

    def __init__(self, size: int) -> None:
        self._held: Any = cachetools.TTLCache(size, 86_400)
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """The value, or None."""
        with self._lock:
            return self._held.get(key)

    def put(self, key: str, value: object) -> None:
        """Hold the value."""
        with self._lock:
            self._held[key] = value


class Threaded(Loop):
    """The calls of a batch, by so many threads at once."""

    longest = 400_000
    pool: ThreadPoolExecutor

    def _ready(self, arguments: list[Any]) -> Callable[[], list[Any]]:
        share = -(-len(arguments) // THREADS)
        parts = [arguments[at : at + share] for at in range(0, len(arguments), share)]
        work: list[Callable[[], list[Any]]] = [
            partial(list, map(self._call, part)) for part in parts
        ]

        def run() -> list[Any]:
            jobs = [self.pool.submit(one) for one in work]
            return list(chain.from_iterable(job.result() for job in jobs))

        return run


class Pairs(Loop):
    """Calls with a key and a value."""

    def _ready(self, arguments: list[Any]) -> Callable[[], list[Any]]:
        return partial(list, starmap(self._call, arguments))


def _filled(clips: Clips) -> MemoryTier:
    tier = MemoryTier(ByteLRU(ENTRIES, 64 * MIB))
    tier.put_many(list(clips.entries.values()))
    return tier


def locmem(entries: int) -> Any:
    """Django's cache in memory, one of its own."""
    return LocMemCache(uuid4().hex, {"OPTIONS": {"MAX_ENTRIES": entries}})


def _peers(clips: Clips) -> tuple[LockedTtl, Any]:
    ttl, django = LockedTtl(ENTRIES), locmem(ENTRIES)
    for key, sound in clips.sounds.items():
        ttl.put(key, sound)
        django.set(key, sound)
    return ttl, django


def _hit(clips: Clips) -> Case:
    asked = clips.asked()
    ttl, django = _peers(clips)
    return Case(
        "M1",
        f"memory hit, {clips.name}",
        Loop("dict.get", dict(clips.sounds).get, asked, clips.is_sound),
        Loop("ours", _filled(clips).get, asked, clips.is_entry),
        7,
        peers=[
            Loop("TTLCache + lock", ttl.get, asked, clips.is_sound),
            Loop("LocMemCache", django.get, asked, clips.is_sound, brings=clips.size),
        ],
    )


def _miss(clips: Clips) -> Case:
    asked = clips.asked([key[::-1] for key in clips.keys])
    ttl, django = _peers(clips)
    return Case(
        "M2",
        f"memory miss, {clips.name}",
        Loop("dict.get", dict(clips.sounds).get, asked, is_none),
        Loop("ours", _filled(clips).get, asked, is_none),
        2.5,
        peers=[
            Loop("TTLCache + lock", ttl.get, asked, is_none),
            Loop("LocMemCache", django.get, asked, is_none),
        ],
    )


def _put(clips: Clips) -> Case:
    """Keys that are not there any more when they come again, so each put evicts."""
    more = Clips(ENTRIES * 5, clips.size)
    pairs = list(more.sounds.items())
    entries = [([entry],) for entry in more.entries.values()]
    plain: dict[str, bytes] = {}
    tier, ttl, django = _filled(clips), LockedTtl(ENTRIES), locmem(ENTRIES)
    held = Pairs(
        "store",
        lambda key, sound: tier.store.put(key, sound, len(sound)),
        pairs,
        lambda pair, _: tier.store.peek(pair[0]) in (None, pair[1]),
    )
    return Case(
        "M3",
        f"memory put that evicts, {clips.name}",
        Pairs(
            "dict.__setitem__",
            plain.__setitem__,
            pairs,
            lambda pair, _: plain[pair[0]] == pair[1],
            before=plain.clear,
        ),
        Pairs("ours", tier.put_many, entries, lambda given, keys: keys == {given[0][0].key}),
        3,
        peers=[
            held,
            Pairs("TTLCache + lock", ttl.put, pairs, is_none),
            Pairs("LocMemCache", django.set, pairs, is_none),
        ],
        allowance=1.5,
    )


def _worst_put() -> Case:
    store: ByteLRU[bytes] = ByteLRU(MANY, MANY)
    keys = [f"{number:064}" for number in range(MANY)]
    for key in keys:
        store.put(key, b"x", 1)

    def take() -> tuple[float, str]:
        """The least of five, for the worst of one may be the machine's."""
        return min(_worst_of(store) for _ in range(5)) / 1e6, ""

    return Case(
        "M3",
        "worst put of 100 with 100,000 entries all just read",
        Fixed("-", 1),
        Figure("ours", take),
        0.2,
        unit="ms",
        rounds=3,
    )


def _worst_of(store: ByteLRU[bytes]) -> int:
    held = store.keys()
    for key in held:
        store.get(key)
    worst = 0
    for number in range(100):
        started = perf_counter_ns()
        store.put(f"new {number} {started}", b"x", 1)
        worst = max(worst, perf_counter_ns() - started)
    return worst


def _in_threads(clips: Clips, pool: ThreadPoolExecutor) -> Case:
    Threaded.pool = pool
    asked = clips.asked()
    ttl, _ = _peers(clips)
    return Case(
        "M4",
        f"memory hit by {THREADS} threads",
        Threaded("dict.get", dict(clips.sounds).get, asked, clips.is_sound),
        Threaded("ours", _filled(clips).get, asked, clips.is_entry),
        5,
        peers=[Threaded("TTLCache + lock", ttl.get, asked, clips.is_sound)],
    )
