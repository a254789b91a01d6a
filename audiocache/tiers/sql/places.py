"""Places as rows of the leases' table: `place:<digest>:<number>`, one for each that is held.

A pause is the row `pause:<digest>`; a narrowed limit is `limit:<digest>`, whose `outcome` is the
limit and whose `deadline` is when it is forgotten; its owner is FIRM where it does not creep.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from audiocache.tiers.places import FORGET_MS, PlaceStore
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.connection import OwnConnection

FIRM: Final = "firm"


class SqlPlaces(PlaceStore):
    """Shared by all processes on one database; one statement each."""

    def __init__(self, database: OwnConnection, sql: Dialect) -> None:
        self._database = database
        self._now = sql.now
        mark, number = sql.mark, f"CAST({sql.mark} AS BIGINT)"
        self._mark = mark
        self._take = _take(sql)
        self._extend = (
            f"UPDATE audiocache_lease SET deadline = {sql.now} + {number}"
            f" WHERE name LIKE {mark} AND owner IN ({{owners}})"
        )
        self._give_back = (
            f"DELETE FROM audiocache_lease WHERE owner = {mark} AND name LIKE {mark} RETURNING name"
        )
        self._keep = f"""
            INSERT INTO audiocache_lease (name, owner, deadline, outcome)
            VALUES ({mark}, {mark}, {sql.now} + {number}, {mark})
            ON CONFLICT (name) DO UPDATE SET
                outcome = excluded.outcome, owner = excluded.owner, deadline = {{deadline}}"""
        self._lower = f"""
            INSERT INTO audiocache_lease (name, owner, deadline, outcome)
            VALUES ({mark}, '', {sql.now} + {number}, {mark})
            ON CONFLICT (name) DO UPDATE SET owner = '', deadline = excluded.deadline,
                outcome = CAST({sql.greatest}(1, {sql.least}({number}, CASE
                    WHEN audiocache_lease.deadline <= {sql.now} THEN {number}
                    ELSE {_narrowed(sql)} END) - 1) AS TEXT)"""
        self._paused = f"SELECT deadline - {sql.now} FROM audiocache_lease WHERE name = {mark}"
        self._longer = f"{sql.greatest}(audiocache_lease.deadline, excluded.deadline)"

    def take(self, name: str, limit: int, owner: str, ms: int) -> bool:
        """The first number that is free; of two who choose the same, one tries again later."""
        place = f"place:{name}:"
        values = [limit, self.creep_ms, f"limit:{name}", limit, place, owner, ms, place]
        return bool(self._database.query(self._take, values))

    def extend(self, name: str, owners: Collection[str], ms: int) -> bool:
        """Move their rows' ends forward; a row that has another owner is not theirs."""
        sql = self._extend.format(owners=", ".join([self._mark] * len(owners)))
        self._database.run(sql, [ms, f"place:{name}:%", *owners])
        return True

    def give_back(self, name: str, owner: str) -> bool:
        """Delete the row: an owner has one place."""
        return bool(self._database.query(self._give_back, [owner, f"place:{name}:%"]))

    def narrow(self, name: str, limit: int, *, firm: bool = False) -> bool:
        """Note the limit, and by its deadline when it was noted."""
        sql = self._keep.format(deadline="excluded.deadline")
        self._database.run(sql, [f"limit:{name}", FIRM if firm else "", FORGET_MS, str(limit)])
        return True

    def lower(self, name: str, most: int) -> bool:
        """By what the row says while it holds."""
        values = [f"limit:{name}", FORGET_MS, str(max(1, most - 1)), most, most, self.creep_ms]
        self._database.run(self._lower, values)
        return True

    def pause(self, name: str, ms: int) -> bool:
        """Move the pause's end forward."""
        self._database.run(self._keep.format(deadline=self._longer), [f"pause:{name}", "", ms, ""])
        return True

    def paused(self, name: str) -> int:
        """Until the pause's end."""
        rows = self._database.query(self._paused, [f"pause:{name}"])
        return max(0, rows[0][0]) if rows else 0


def _narrowed(sql: Dialect) -> str:
    """What the row of a narrowed limit allows now; parameter: creep_ms."""
    row, number = "audiocache_lease", f"CAST({sql.mark} AS BIGINT)"
    return (
        f"CAST({row}.outcome AS BIGINT) + CASE WHEN {row}.owner = '{FIRM}' THEN 0"
        f" ELSE ({sql.now} + {FORGET_MS} - {row}.deadline) / {number} END"
    )


def _take(sql: Dialect) -> str:
    """The first number that is free below the limit, or what that was narrowed to."""
    mark, number, text = sql.mark, f"CAST({sql.mark} AS BIGINT)", f"CAST({sql.mark} AS TEXT)"
    return f"""
        WITH RECURSIVE known(now, allowed) AS (
            SELECT {sql.now}, {sql.least}({number}, COALESCE((
                SELECT {_narrowed(sql)} FROM audiocache_lease
                WHERE name = {mark} AND deadline > {sql.now}), {number}))
        ), place(number) AS (
            SELECT 0 UNION ALL
            SELECT number + 1 FROM place, known WHERE number + 1 < known.allowed
        )
        INSERT INTO audiocache_lease (name, owner, deadline, outcome)
        SELECT {text} || number, {text}, known.now + {number}, '' FROM place, known
        WHERE known.allowed > 0 AND NOT EXISTS (
            SELECT 1 FROM audiocache_lease AS held
            WHERE held.name = {text} || number AND held.deadline > known.now)
        ORDER BY number LIMIT 1
        ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, deadline = excluded.deadline
        WHERE audiocache_lease.deadline <= {sql.now}
        RETURNING name"""
