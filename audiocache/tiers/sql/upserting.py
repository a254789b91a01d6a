"""Writing rows: entries, their tags and the look at the removal log in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress

from audiocache.clock import Clock
from audiocache.entries import AudioEntry
from audiocache.rows import values_of
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import batches, flat
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.log import How, Moved, SqlLedger


class Upserting:
    """Of a batch, one statement."""

    def __init__(self, database: OwnConnection, sql: Dialect, log: SqlLedger, clock: Clock) -> None:
        self._database = database
        self._sql = sql
        self._log = log
        self._clock = clock

    def upsert(self, entries: Sequence[AudioEntry], how: How, names: Mapping[str, str]) -> set[str]:
        """The keys taken; `names`: of the files in which sounds lie, by key."""
        sql = self._sql.upsert(len(entries), only_missing=how.only_missing)
        now = self._clock()
        rows = (values_of(entry, now, names.get(entry.key, "")) for entry in entries)
        values = flat(rows) + ([now] if how.only_missing else [])
        tags = [(tag, entry.key) for entry in entries for tag in entry.tags]
        together = self._database.transaction() if tags or how.guard else nullcontext()
        with suppress(Moved), together:
            taken = {key for (key,) in self._database.query(sql, values)}
            for batch in batches(pair for pair in tags if pair[1] in taken):
                self._database.run(self._sql.add_tags(len(batch)), flat(batch))
            if how.guard:
                self._log.check(how.guard, entries)
            return taken
        return set()
