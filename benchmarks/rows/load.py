"""Nine look-ups to a put, by so many threads of a process: what S8 and H2 are made of."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import diskcache
from django.db import connections

from audiocache.conf import CacheConfig
from audiocache.exceptions import TierError
from audiocache.tiers.persistent import PersistentTier
from benchmarks.bare import Bare, open_tier
from benchmarks.clips import Clips, K

CLIPS: Final = 500


class Store(NamedTuple):
    """How one thread uses a store."""

    get: Callable[[str], Any]
    put: Callable[[str], Any]


def pound(given: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    """The work of a process: `threads` use the store of `who` in `cache` for `seconds`."""
    clips = Clips(CLIPS, 4 * K)
    tier = open_tier(CacheConfig(persistent_path=given["cache"]))

    def work() -> dict[str, Any]:
        counted: list[tuple[int, int]] = []
        errors: list[str] = []

        def one() -> None:
            try:
                store = _store(given["who"], clips, tier, Path(given["cache"]))
                counted.append(_use(store, clips, given["seconds"]))
            except (TierError, sqlite3.Error, AssertionError) as error:
                errors.append(repr(error))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one) for _ in range(given["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        calls, puts = (sum(numbers) for numbers in zip(*counted or [(0, 0)], strict=True))
        return {"calls": calls, "puts": puts, "errors": errors}

    return work


def _use(store: Store, clips: Clips, seconds: float) -> tuple[int, int]:
    """Calls, and how many of them were puts. What comes back is looked at as it comes: kept,
    it would be gigabytes. That costs all of them the same, and little.
    """
    chance, until = random.Random(), time.monotonic() + seconds
    calls = puts = 0
    while time.monotonic() < until:
        for key in chance.choices(clips.keys, k=9):
            audio = store.get(key)
            assert audio is None or clips.is_sound(key, audio), "another clip's sound"
        store.put(chance.choice(clips.keys))
        calls, puts = calls + 10, puts + 1
    return calls, puts


def _store(who: str, clips: Clips, tier: PersistentTier, folder: Path) -> Store:
    if who == "ours":
        return Store(lambda key: _audio(tier.get(key)), lambda key: _put(tier, clips, key))
    if who == "diskcache":
        disk: Any = diskcache.Cache(str(folder / "diskcache"), sqlite_mmap_size=2**28)
        return Store(disk.get, lambda key: disk.set(key, clips.sounds[key]))
    bare = Bare(clips, tier)
    if who == "ORM":
        return Store(bare.orm.read, bare.orm.put)
    return Store(bare.read, bare.upsert)


def _audio(entry: Any) -> bytes | None:
    return None if entry is None else entry.audio


def _put(tier: PersistentTier, clips: Clips, key: str) -> None:
    tier.put_many([clips.entries[key]])
