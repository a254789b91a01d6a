"""How much the table may hold, and who leaves when it holds more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, Final

from audiocache.charges import EVICTED
from audiocache.exceptions import TierBusy
from audiocache.gate import Gate
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.purchases import Purchases

EVICT_ROWS: Final = 64
"""Rows that one eviction deletes at most."""
LOOKS: Final = 20
"""Evictions of one turn at most."""
LOOK_SECONDS: Final = 0.005
"""After one in vain."""
TURN_SECONDS: Final = 3.0
"""A put waits so long for those of this process before it."""
BATCH_TURN_SECONDS: Final = 10.0
"""And one of many entries, such as warming's: no request waits for it."""


@cache
def _turns_on(_: str) -> Gate:
    return Gate(1)


class Room:
    """Limits by rows and bytes of a table that keeps its own totals; 0 is no limit."""

    def __init__(
        self,
        database: OwnConnection,
        sql: Dialect,
        max_entries: int,
        max_bytes: int,
        purchases: Purchases,
    ) -> None:
        self._purchases = purchases
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._database = database
        self._sql = sql

    def turn(self, entries: int) -> AbstractContextManager[None]:
        """One put of the process at a time, with its evictions. Raises TierBusy.

        Else sixteen threads bring in sixteen batches before the first of them evicts. First
        come, first served, as SQLite's own wait for a writer's turn is not. PostgreSQL's single
        puts need none: sixteen of them are less than a batch.
        """
        if entries > 1:
            return _turn(_turns_on(self._database.alias), BATCH_TURN_SECONDS)
        if self._database.wrapper.vendor == "sqlite":
            return _turn(_turns_on(self._database.alias), TURN_SECONDS)
        return nullcontext()

    def make(self, evicted: list[list[str]]) -> None:
        """Evict until both limits hold, or only pins are left; adds the keys that left.

        At most LOOKS times: after a limit was lowered, the next puts go on with it.
        """
        for _ in range(LOOKS):
            ids = self.over()
            if not ids:
                break
            gone = self._database.query(self._sql.delete_ids(len(ids)), ids)
            evicted.append([key for key, *_ in gone])
            names = (name for key, _, source in gone for name in (key, source))
            self._purchases.gone(EVICTED, names)
            if not gone:  # another process evicts the same rows, or holds them
                time.sleep(LOOK_SECONDS)

    def totals(self) -> tuple[int, int]:
        """Rows and bytes, from where they are maintained."""
        [(entries, size)] = self._database.read(self._sql.select_totals, ())
        return int(entries or 0), int(size or 0)

    def stats(self) -> dict[str, Any]:
        """Totals, and what is known without asking."""
        entries, size = self.totals()
        return self.unknown_stats() | {"entry_count": entries, "total_size_bytes": size}

    def unknown_stats(self) -> dict[str, Any]:
        """Type, limits and, for SQLite, the file."""
        wrapper = self._database.wrapper
        path = {"db_path": str(wrapper.settings_dict["NAME"])}
        return {
            "backend_type": wrapper.vendor,
            "entry_count": None,
            "total_size_bytes": None,
            "max_entries": self.max_entries or None,
            "max_bytes": self.max_bytes or None,
        } | (path if wrapper.vendor == "sqlite" else {})

    def over(self) -> list[int]:
        """Ids of the least recently used rows over the limits, at most EVICT_ROWS."""
        if not (self.max_entries or self.max_bytes):
            return []
        entries, size = self.totals()
        rows = entries - self.max_entries if self.max_entries else 0
        spare = size - self.max_bytes if self.max_bytes else 0
        return self._least_used(rows, spare) if rows > 0 or spare > 0 else []

    def _least_used(self, rows: int, size: int) -> list[int]:
        ids: list[int] = []
        for row_id, row_size in self._database.query(self._sql.select_least_used, [EVICT_ROWS]):
            if len(ids) >= rows and size <= 0:
                break
            ids.append(row_id)
            size -= row_size
        return ids


@contextmanager
def _turn(gate: Gate, timeout: float) -> Iterator[None]:
    if not gate.enter(timeout):
        raise TierBusy("other threads are writing")
    try:
        yield
    finally:
        gate.leave()
