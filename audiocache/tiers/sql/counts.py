"""What is counted on the way and written beside it: hits of an entry, and counters.

A counter has two rows: one for all time, one for the hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

from audiocache.clock import HOUR_MS
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import batches, flat
from audiocache.tiers.sql.connection import OwnConnection


class Counting:
    """Writes nothing behind a test run: what was counted there is not the site's."""

    def __init__(self, database: OwnConnection, sql: Dialect) -> None:
        self._database = database
        self._sql = sql

    def touch(self, hits: Mapping[str, int], now: int) -> None:
        """Add hits; the last key was used last, so each gets an instant of its own."""
        if self._database.outlived_its_tests:
            return
        first = now - len(hits) + 1
        uses = [(number, first + place, key) for place, (key, number) in enumerate(hits.items())]
        for batch in batches(sorted(uses, key=lambda use: use[2])):
            self._database.run_many(self._sql.touch, batch)

    def add(self, deltas: Mapping[str, int], now: int) -> bool:
        """Add to the counters of all time and of this hour; False: keep them."""
        if self._database.outlived_its_tests:
            return False
        portions = list(batches(_rows_of(deltas, now)))
        # What was added in part would be added again.
        together = self._database.transaction() if len(portions) > 1 else nullcontext()
        with together:
            for portion in portions:
                self._database.run(self._sql.add_counts(len(portion)), flat(portion))
        return True

    def read(self) -> dict[str, int]:
        """The counters of all time."""
        return dict(self._database.query(self._sql.select_counts, ()))


def _rows_of(deltas: Mapping[str, int], now: int) -> list[tuple[str, str, int, int]]:
    """Name, resolution, period, value; in an order, so that two writers cannot deadlock."""
    hour = now - now % HOUR_MS
    return sorted(
        (name, resolution, period, value)
        for name, value in deltas.items()
        for resolution, period in (("a", 0), ("h", hour))
    )
