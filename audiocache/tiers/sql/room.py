"""How much the table may hold, and who leaves when it holds more."""

from __future__ import annotations

from typing import Final

from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.connection import OwnConnection

EVICT_ROWS: Final = 64
"""Rows that one eviction deletes at most."""


class Room:
    """Limits by rows and bytes of a table that keeps its own totals; 0 is no limit."""

    def __init__(
        self, database: OwnConnection, sql: Dialect, max_entries: int, max_bytes: int
    ) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._database = database
        self._sql = sql

    def totals(self) -> tuple[int, int]:
        """Rows and bytes, from where they are maintained."""
        [(entries, size)] = self._database.query(self._sql.select_totals)
        return int(entries or 0), int(size or 0)

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
