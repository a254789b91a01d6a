"""Leases as rows, by the database's own clock: one statement a verb."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from audiocache.database import in_memory
from audiocache.leases import KEPT_MS, Lease, LeaseStore
from audiocache.tiers.sql.batches import batches, flat
from audiocache.tiers.sql.connection import OwnConnection

SWEEP_SECONDS: Final = 5.0
SWEEP_ROWS: Final = 20
"""Ended leases that a settling deletes at most, so that there are never many."""


class SqlLeases(LeaseStore):
    """The statements. `outcome` holds `<owner> <what came of it>` of who gave it back last."""

    mark: ClassVar[str]
    now: ClassVar[str]
    """An expression: ms since the epoch, by the database's clock."""
    skip_locked: ClassVar[str] = ""

    def __init__(self) -> None:
        self._sweep_at = 0.0

    def take(self, wanted: Mapping[str, str], ms: int) -> dict[str, Lease]:
        """See `LeaseStore.take`: one statement for a hundred."""
        # In the order of their names: two processes cannot deadlock.
        rows = sorted((name, owner, int(ms), "") for name, owner in wanted.items())
        return self._leases(
            (self._take(len(batch), int(ms)), flat(batch)) for batch in batches(rows)
        )

    def settle(self, name: str, owner: str, outcome: str) -> bool:
        """See `LeaseStore.settle`; sweeps a little where it is due."""
        settled = self._query(self._settle, [name, f"{owner} {outcome}", owner])
        if time.monotonic() >= self._sweep_at:
            self.sweep()
        return bool(settled)

    def look(self, names: Collection[str]) -> dict[str, Lease]:
        """See `LeaseStore.look`."""
        return self._leases((self._look(len(batch)), batch) for batch in batches(names))

    def sweep(self) -> None:
        """Forget a handful of those that ended long ago; more soon, where there are more."""
        swept = self._query(self._sweep, [SWEEP_ROWS])
        pause = SWEEP_SECONDS if len(swept) < SWEEP_ROWS else 0
        self._sweep_at = time.monotonic() + pause

    @abstractmethod
    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a statement."""

    def _leases(self, statements: Any) -> dict[str, Lease]:
        rows = [row for sql, values in statements for row in self._query(sql, values)]
        return {name: _lease(owner, left, outcome) for name, owner, left, outcome in rows}

    def _take(self, number: int, ms: int) -> str:
        row = f"({self.mark}, {self.mark}, {self.now} + {self.mark}, {self.mark})"
        # One instant for all: that of the insertion.
        free = (
            f"audiocache_lease.deadline <= excluded.deadline - {ms}"
            " OR audiocache_lease.owner = excluded.owner"
        )
        changes = ", ".join(
            f"{name} = CASE WHEN {free} THEN excluded.{name} ELSE audiocache_lease.{name} END"
            for name in ("owner", "deadline")
        )
        return (
            "INSERT INTO audiocache_lease (name, owner, deadline, outcome)"
            f" VALUES {', '.join([row] * number)} ON CONFLICT (name) DO UPDATE SET {changes}"
            f" RETURNING name, owner, deadline - {self.now}, outcome"
        )

    @property
    def _settle(self) -> str:
        return (
            "INSERT INTO audiocache_lease (name, owner, deadline, outcome)"
            f" VALUES ({self.mark}, '', {self.now}, {self.mark}) ON CONFLICT (name) DO UPDATE SET"
            " owner = excluded.owner, deadline = excluded.deadline, outcome = excluded.outcome"
            f" WHERE audiocache_lease.owner = {self.mark} RETURNING name"
        )

    def _look(self, number: int) -> str:
        names = ", ".join([self.mark] * number)
        return (
            f"SELECT name, owner, deadline - {self.now}, outcome FROM audiocache_lease"
            f" WHERE name IN ({names})"
        )

    @property
    def _sweep(self) -> str:
        return delete_ended(self.now, self.mark, self.skip_locked)


class TableLeases(SqlLeases):
    """In the cache's table on PostgreSQL."""

    mark = "%s"
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(self, database: OwnConnection) -> None:
        super().__init__()
        self._database = database

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        return self._database.query(sql, values)


def delete_ended(now: str, mark: str, skip_locked: str = "") -> str:
    """Delete what ended so long ago that nobody asks for it; parameter: how many rows."""
    return (
        "DELETE FROM audiocache_lease WHERE name IN (SELECT name FROM audiocache_lease"
        f" WHERE deadline < {now} - {KEPT_MS} LIMIT {mark}{skip_locked}) RETURNING name"
    )


def leases_on(database: OwnConnection) -> LeaseStore | None:
    """Where processes that share this database agree; None: no other process can see it."""
    wrapper = database.wrapper
    if wrapper.vendor != "sqlite":
        return TableLeases(database)
    if in_memory(str(wrapper.settings_dict["NAME"])):
        return None
    from audiocache.tiers.sql.lease_file import LeaseFile

    return LeaseFile(database.alias)


def _lease(owner: str, left: int, outcome: str) -> Lease:
    settled_by, _, told = outcome.partition(" ")
    return Lease(owner, int(left), settled_by, told)
