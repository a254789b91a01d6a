"""Deleting rows in portions: by key, by group, all; also what a log tells of later."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from audiocache.charges import REMOVED
from audiocache.clock import Clock
from audiocache.entries import NEVER
from audiocache.removals import ALL, KEY, TAGS, TEXT, Removal
from audiocache.removals.values import digest
from audiocache.rows import SCHEMA_VERSION
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import BATCH, batches
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.log_base import LogStatements
from audiocache.tiers.sql.purchases import Purchases

PAUSE_SECONDS: Final = 0.002
"""Between portions of a long delete, so that others get their turn."""
NAMES: Final = 500
"""Tags looked at in one statement."""

Deleted = tuple[str, Any, str]
"""Key, `keep_until` and source key of a row that is gone; SQLite lets anything be the second."""


class Removing:
    """Deletes from one database; each verb says how many live rows were there."""

    def __init__(self, database: OwnConnection, sql: Dialect, clock: Clock) -> None:
        self._database = database
        self.purchases = Purchases(database, sql, clock)
        """What was paid for of what is deleted."""
        self._sql = sql
        self._log = LogStatements(sql)
        self._clock = clock

    def drop(self, keys: Iterable[str]) -> None:
        """Delete what cannot be read: nobody wanted it removed."""
        for batch in batches(sorted(keys)):
            self._database.query(self._sql.delete_keys(len(batch)), batch)

    def apply(self, removals: Iterable[Removal], *, free: bool = False) -> int:
        """Delete what removals say; `free`: only rows that nobody holds at the moment."""
        removed = 0
        for field, same in groupby(removals, lambda removal: removal.field):
            if field == KEY:
                removed += self._keys(same, free=free)
            else:
                removed += sum(self._group(removal, free=free) for removal in same)
        return removed

    def _keys(self, removals: Iterable[Removal], *, free: bool) -> int:
        removed = 0
        # In the order of their keys: two who delete the same rows cannot deadlock.
        for before, same in groupby(sorted(removals, key=_by_end), lambda r: r.before):
            older = before != NEVER
            for batch in batches(removal.value for removal in same):
                sql = self._sql.delete_keys(len(batch), older=older, free=free)
                values = [*batch, before] if older else batch
                removed += self._live(self._database.query(sql, values))
        return removed

    def _group(self, removal: Removal, *, free: bool) -> int:
        older = removal.before != NEVER
        end = [removal.before] if older else []
        if removal.field == ALL:
            sql = self._sql.delete_some(older=older, free=free)
            return self._delete(sql, [SCHEMA_VERSION, *end])
        sql = self._sql.delete_group(removal.field, older=older, free=free)
        return sum(self._delete(sql, [*names, *end]) for names in self._named(removal))

    def _delete(self, sql: str, values: Sequence[Any]) -> int:
        return sum(map(self._live, self.portions(sql, values)))

    def portions(self, sql: str, values: Sequence[Any]) -> Iterator[list[Deleted]]:
        """Run a limited delete until there is nothing left, with pauses."""
        while rows := self._database.query(sql, [*values, BATCH]):
            yield rows
            if len(rows) < BATCH:
                break
            time.sleep(PAUSE_SECONDS)

    def _live(self, deleted: Iterable[Deleted]) -> int:
        """How many had not reached their end; one that is no instant is no end."""
        now = self._clock()
        live = [row for row in deleted if isinstance(row[1], int) and row[1] > now]
        self.purchases.gone(REMOVED, (name for key, _, source in live for name in (key, source)))
        return len(live)

    def _named(self, removal: Removal) -> Iterator[list[str]]:
        """What the table calls a group; of digests, all that they may stand for."""
        if removal.field == TEXT:
            for namespace in self._namespaces(removal):
                yield [removal.value, namespace]
        elif removal.field == TAGS and removal.digested:
            yield from ([tag] for tag in self._tags() if digest(tag) == removal.value)
        else:
            yield [removal.value]

    def _namespaces(self, removal: Removal) -> list[str]:
        if not (removal.digested and removal.namespace):
            return [removal.namespace]
        held = self._database.query(self._log.namespaces, [removal.value])
        return [name for (name,) in held if digest(name) == removal.namespace]

    def _tags(self) -> Iterator[str]:
        last = ""
        while tags := self._database.query(self._log.tags, [last, NAMES]):
            yield from (tag for (tag,) in tags)
            last = tags[-1][0]


def _by_end(removal: Removal) -> tuple[int, str]:
    return removal.before, removal.value
