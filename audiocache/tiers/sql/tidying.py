"""What nobody will ask for any more: rows past their time, and ends of logs and of places.

Puts clear a handful away, so it works without Celery; a clean-up all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from audiocache.clock import Clock
from audiocache.exceptions import TierError
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.leases import delete_ended
from audiocache.tiers.sql.log import SqlLedger
from audiocache.tiers.sql.removing import Deleted, Removing

SWEEP_SECONDS: Final = 1.0
SWEEP_ROWS: Final = 20
"""Rows of a kind that a put deletes at most, once in SWEEP_SECONDS."""


class Tidying:
    """Deletes in one database."""

    def __init__(
        self,
        database: OwnConnection,
        sql: Dialect,
        removing: Removing,
        log: SqlLedger,
        clock: Clock,
    ) -> None:
        self._database = database
        self._expired = sql.delete_kept_until
        # In a SQLite file leases leave these alone: they have a file of their own.
        self._places = delete_ended(sql.now, sql.mark, sql.lock_free_rows)
        self._removing = removing
        self._log = log
        self._clock = clock
        self.due = 0.0
        """When a put deletes again what has expired, on the monotonic clock."""

    def after(self, stored: int) -> Sequence[Any]:
        """Behind a put of so many entries; the rows that had expired.

        In vain at worst: what is stored is stored, and the next put tries again.
        """
        with suppress(TierError):
            self._log.stored(stored)
            if time.monotonic() >= self.due:
                self.due = time.monotonic() + SWEEP_SECONDS
                self._database.query(self._places, [SWEEP_ROWS])
                return self._database.query(self._expired, [self._clock(), SWEEP_ROWS])
        return ()

    def wholly(self) -> Iterator[list[Deleted]]:
        """Everything, in portions with pauses; the rows that had expired."""
        self._log.trim()
        for _ in self._removing.portions(self._places, []):
            continue
        yield from self._removing.portions(self._expired, [self._clock()])
