"""A database's removal log: rows whose numbers count up by one in the order of their commits."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from audiocache.entries import AudioEntry
from audiocache.removals import (
    ALL,
    KEY,
    Cursor,
    Guard,
    Ledger,
    News,
    Origin,
    Reading,
    Removal,
    Row,
)
from audiocache.removals.log import KEPT, Own
from audiocache.removals.values import concern, heard_late, rows_of
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import BATCH
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.log_base import LogStatements
from audiocache.tiers.sql.removing import Removing

READ: Final = 500
"""Rows read at once."""
TRIMMED: Final = 20
"""Rows that are written before old ones are looked for."""
IDENTITY: Final = "removals.log"
FOLLOWED: Final = "removals.followed"
"""How far the stream was applied; behind `HEARD` and a ledger's name, how far that one was."""
HEARD: Final = "removals.heard."


class How(NamedTuple):
    """What holds for all entries of a put."""

    only_missing: bool
    guard: Guard | None


class Moved(Exception):
    """What is to be stored may have been removed since it was read: rolls the storing back."""


class SqlLedger(Ledger):
    """On the tables `audiocache_removal` and `audiocache_state`."""

    def __init__(self, database: OwnConnection, sql: Dialect, removing: Removing) -> None:
        self._database = database
        self._sql = sql
        self._log = LogStatements(sql)
        self._removing = removing
        self.name = ""
        self.own = Own()
        self.position = 0
        self._untrimmed = 0

    # Reading

    def identity(self, *, make: bool = False) -> str:
        """Made with the first removal, and kept in the database: reading writes nothing."""
        if not self.name:
            if make:
                self._database.run(self._log.new_state, [IDENTITY, uuid.uuid4().hex])
            self.name = self._states(IDENTITY).get(IDENTITY, "")
        return self.name

    def read(self, cursor: Cursor | None) -> Reading:
        """The rows behind the cursor; its own row is read again, to see that it is the same."""
        if cursor is None:
            return Reading(self._last())
        rows = self._database.query(self._log.read, [cursor.position, READ])
        news = tuple(_news(*row) for row in rows)
        if not _goes_on(news, cursor):
            return Reading(self._last(), gap=True)
        if cursor.position:
            news = news[1:]
        end = news[-1].cursor if news else cursor
        self.position = max(self.position, end.position)
        return Reading(end, news)

    def _last(self) -> Cursor:
        """Where the log ends; it may be another log than it was."""
        self.name = ""
        rows = self._database.query(self._log.last)
        end = _cursor(*rows[0]) if rows else Cursor()
        self.position = end.position
        return end

    # Removing

    def remove(
        self,
        removals: Sequence[Removal],
        at: int,
        origin: Origin | None = None,  # noqa: ARG002 - a stream's
        late: bool = False,
    ) -> tuple[int, Origin | None]:
        """In one transaction; what takes several is announced before them, too."""
        rows, ledger = list(rows_of(removals, at)), self.identity(make=True)
        removals = [one.heard_late(at) for one in removals] if late else removals
        removed, positions = 0, list[int]()
        if len(removals) > BATCH or any(removal.field != KEY for removal in removals):
            with self._database.transaction():
                announced = self._append(rows)
            positions += self._written(announced)
            removed = self._removing.apply(removals)
        with self._database.transaction():
            removed += self._removing.apply(removals)
            appended = self._append(rows, removals)
        positions += self._written(appended)
        return removed, Origin(ledger, positions[0], positions[-1])

    def _append(self, rows: Iterable[Row], removals: Sequence[Removal] = ()) -> list[int]:
        """The positions of rows behind all others.

        What was stored while we waited for our turn is deleted.
        """
        if self._sql.one_writer:
            self._database.query(self._sql.own_slot)
            self._database.run(self._sql.one_writer)  # no reading: who comes too late is busy
            self._removing.apply(removals, free=True)
        values = ([row.at, row.kind, row.value] for row in rows)
        positions = [int(self._database.query(self._log.append, row)[0][0]) for row in values]
        self._database.query(self._log.trim, [len(positions) + TRIMMED])
        return positions

    def _written(self, positions: list[int]) -> list[int]:
        """They are committed, and so our own: until then, another's may come to stand there."""
        for position in positions:
            self.own.add(str(position))
        self.position = max(self.position, positions[-1])
        return positions

    def stored(self, entries: int) -> None:
        """Each may have replaced one: the trigger that writes this down deletes no old row."""
        self._untrimmed += entries  # what another thread's number covers, the next one makes up for
        if self._untrimmed >= TRIMMED:
            due, self._untrimmed = self._untrimmed, 0
            self.trim(due)

    def trim(self, due: float = math.inf) -> None:
        """Delete old rows in portions until there are none, or so many have left."""
        for portion in self._removing.portions(self._log.trim, []):
            due -= len(portion)
            if due <= 0:
                break

    # Following

    def followed(self) -> tuple[Cursor | None, dict[str, int]]:
        """How far the stream was applied, and how far each ledger that it told of."""
        states = self._states("removals.%")
        self.name = states.get(IDENTITY, "")
        heard = {
            name.removeprefix(HEARD): int(value)
            for name, value in states.items()
            if name.startswith(HEARD) and value.isascii() and value.isdigit()
        }
        return Cursor.parse(states.get(FOLLOWED, "")), heard

    def follow(self, before: Cursor | None, reading: Reading, heard: Mapping[str, int]) -> bool:
        """Exactly once, whoever else does it; what deletes all begins outside a transaction."""
        removals = heard_late(row for news in reading.news for row in news.rows)
        if reading.gap or any(removal.field == ALL for removal in removals):
            self._removing.apply([Removal(ALL)] if reading.gap else removals)
        with self._database.transaction():
            if not self._move(before, reading.cursor):
                return False
            self._removing.apply(removals)
            for ledger, position in heard.items():
                self._database.run(self._log.set_state, [HEARD + ledger, str(position)])
        return True

    def _move(self, before: Cursor | None, after: Cursor) -> bool:
        if before is None:
            self._database.run(self._log.new_state, [FOLLOWED, ""])
        values = [FOLLOWED, str(after), "" if before is None else str(before)]
        return bool(self._database.query(self._log.move_state, values))

    def check(self, guard: Guard, entries: Sequence[AudioEntry]) -> None:
        """Behind the storing and in its transaction. Raises Moved where a log may say more of
        these entries than was known. Others are replaced all the time: a writer who gave way to
        each of them would never store anything.
        """
        if self._sql.no_writer:
            self._database.run(self._sql.no_writer)
        rows = self._database.query(self._log.read, [guard.ledger + 1, KEPT])
        gap = bool(rows) and rows[0][0] != guard.ledger + 1
        told = (_row(at, kind, value) for _, at, kind, value in rows)
        if gap or len(rows) == KEPT or concern(told, entries):
            raise Moved
        followed = Cursor.parse(self._states(FOLLOWED).get(FOLLOWED, ""))
        if followed and guard.stream.history and not _within(followed, guard.stream):
            raise Moved

    def _states(self, pattern: str) -> dict[str, str]:
        return {
            name: str(value) for name, value in self._database.query(self._log.states, [pattern])
        }


def _goes_on(news: Sequence[News], cursor: Cursor) -> bool:
    """Does what was read begin where the cursor is?"""
    if not cursor.position:
        return not news or news[0].cursor.position == 1
    if not news or news[0].cursor.position != cursor.position:
        return False
    return cursor.mark in {"", news[0].cursor.mark}


def _within(followed: Cursor, seen: Cursor) -> bool:
    return followed.history == seen.history and followed.position <= seen.position


def _cursor(position: int, at: object) -> Cursor:
    return Cursor("", position, str(at))


def _news(position: int, at: object, kind: object, value: object) -> News:
    return News(_cursor(position, at), (_row(at, kind, value),))


def _row(at: object, kind: object, value: object) -> Row:
    """SQLite lets any value into any column; what is damaged tells of nothing."""
    if isinstance(at, int) and isinstance(kind, str) and isinstance(value, str):
        return Row(kind, value, at)
    return Row("", "", 0)
