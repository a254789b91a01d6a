"""G1: what a put and a hit cost with a million rows in the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final

from audiocache.tiers.persistent import PersistentTier
from benchmarks.bare import Bare, open_tier
from benchmarks.cases import COMMIT, Case, Loop
from benchmarks.clips import Clips
from benchmarks.stage import Stage

SMALL: Final = 1000
BYTES: Final = 512
RANDOM: Final = "lower(hex(randomblob(32)))"
MADE: Final = {"key": RANDOM, "text_digest": RANDOM, "source_key": RANDOM}
"""Columns in which the rows differ; the others are those of the first."""


class Table:
    """A tier that is full with so many rows, and a thousand of their keys."""

    def __init__(self, stage: Stage, stack: ExitStack, rows: int) -> None:
        config = stage.config(persistent_max_size=rows, persistent_max_mb=0)
        self.tier: PersistentTier = stack.enter_context(closing(open_tier(config)))
        first = Clips(1, BYTES)
        self.sound = first.sounds[first.keys[0]]
        self.tier.put_many(list(first.entries.values()))
        bare = Bare(first, self.tier)
        _multiply(bare, rows)
        asked = "SELECT key FROM audiocache_entry WHERE id % ? = 0"
        self.keys = [key for (key,) in bare.driver.execute(asked, [rows // SMALL])]

    def is_entry(self, _: str, entry: Any) -> bool:
        """Is this the sound that they all have?"""
        return entry is not None and bool(entry.audio == self.sound)


def _multiply(bare: Bare, rows: int) -> None:
    columns = [row[1] for row in bare.driver.execute("PRAGMA table_info(audiocache_entry)")]
    copied = [name for name in columns if name != "id"]
    values = ", ".join(MADE.get(name, f"first.{name}") for name in copied)
    bare.driver.execute(
        "WITH RECURSIVE number(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
        f" INSERT INTO audiocache_entry ({', '.join(copied)})"
        f" SELECT {values} FROM number, (SELECT * FROM audiocache_entry LIMIT 1) AS first",
        [rows],
    )
    bare.driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """The limit is the same tier with a thousand rows."""
    many = stage.size(1_000_000, 100_000)
    with ExitStack() as stack:
        small, large = Table(stage, stack, SMALL), Table(stage, stack, many)
        yield [
            _case(f"a hit with {many:,} rows", small, large, _getting),
            _case(f"a put that evicts with {many:,} rows", small, large, _putting),
        ]


def _case(name: str, small: Table, large: Table, loop: Callable[[str, Table], Loop]) -> Case:
    limit = loop(f"with {SMALL:,} rows", small)
    return Case("G1", name, limit, loop("ours", large), 1.5, allowance=COMMIT)


def _getting(name: str, table: Table) -> Loop:
    return Loop(name, table.tier.get, table.keys, table.is_entry)


def _putting(name: str, table: Table) -> Loop:
    clips = Clips(2000, BYTES)

    def put(key: str) -> None:
        table.tier.put_many([clips.entries[key]])

    return Loop(
        name, put, clips.keys, lambda key, _: clips.is_entry(key, table.tier.get(key)), calls=200
    )
