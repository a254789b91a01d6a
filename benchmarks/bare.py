"""SQLite without us: the bare driver, and the plain ORM, on a file with our schema."""

from __future__ import annotations

import sqlite3
from typing import Final

from xxhash import xxh3_64_intdigest

from audiocache import database
from audiocache.clock import now_ms
from audiocache.conf import CacheConfig
from audiocache.rows import values_of
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import dialect_for
from benchmarks.clips import Clips
from benchmarks.orm import OrmRows

HIT: Final = "SELECT audio, checksum, expires, keep_until FROM audiocache_entry WHERE key = ?"
FRESH: Final = "SELECT 1 FROM audiocache_entry WHERE key = ? AND expires > ?"
DELETE: Final = "DELETE FROM audiocache_entry WHERE key = ?"
UPSERT: Final = dialect_for("sqlite").upsert(1, only_missing=False)
PRAGMAS: Final = {
    "journal_mode": "WAL", "synchronous": "NORMAL", "mmap_size": 2**28, "cache_size": -8192,
    "secure_delete": "OFF", "busy_timeout": 20_000,
}  # fmt: skip


def open_tier(config: CacheConfig) -> PersistentTier:
    """Our tier of a configuration, with its file made."""
    tier = PersistentTier.from_config(config)
    tier.check()
    return tier


def driver_on(path: str, **pragmas: object) -> sqlite3.Connection:
    """As fast as it goes."""
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for name, value in {**PRAGMAS, **pragmas}.items():
        raw.execute(f"PRAGMA {name}={value}")
    return raw


class Bare:
    """What a thread does with the file of a tier."""

    def __init__(self, clips: Clips, tier: PersistentTier, **pragmas: object) -> None:
        self.path = str(tier.stats()["db_path"])
        self.driver = driver_on(self.path, **pragmas)
        alias = next(a for p, a in database._own_files.items() if p == self.path)  # noqa: SLF001
        self.orm = OrmRows(clips, alias)
        self._entries = clips.entries

    def read(self, key: str) -> bytes | None:
        """Look up, with expiry and checksum."""
        row = self.driver.execute(HIT, (key,)).fetchone()
        if row is None or row[2] <= now_ms() or xxh3_64_intdigest(row[0]) != row[1] % 2**64:
            return None
        audio: bytes = row[0]
        return audio

    def is_there(self, key: str) -> bool:
        """Is it fresh?"""
        return self.driver.execute(FRESH, (key, now_ms())).fetchone() is not None

    def upsert(self, key: str) -> None:
        """One statement, with the checksum."""
        self.driver.execute(UPSERT, list(values_of(self._entries[key], now_ms()))).fetchone()

    def delete(self, key: str) -> None:
        """One row."""
        self.driver.execute(DELETE, (key,))
