"""The table as an archive needs it: chosen rows in portions, and what stands beside an entry."""

# ruff: noqa: S608 - fixed words and names of columns are put together

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final, NamedTuple

from audiocache.moving.manifest import Standing
from audiocache.rows import AUDIO, READ
from audiocache.tiers.clip_files import FileTrouble
from audiocache.tiers.sql import dialect_for
from audiocache.tiers.sql.batches import batches, portions
from audiocache.tiers.sql.clips import SqlClips
from audiocache.tiers.sql.connection import OwnConnection

_BESIDE: Final = ("pinned", "hits", "used", "CAST(size AS BIGINT)", "storage_name")
LOOK: Final = 500
"""Rows whose ids and sizes are read at once; their sounds are, in smaller portions."""


class Choice(NamedTuple):
    """Which rows; what is empty does not choose."""

    tags: Sequence[str] = ()
    """One of these."""
    provider: str = ""
    model: str = ""
    voice: str = ""
    pinned: bool = False

    def conditions(self, mark: str) -> tuple[str, list[str]]:
        """As SQL with its values."""
        labels = {name: getattr(self, name) for name in ("provider", "model", "voice")}
        words = [f" AND {name} = {mark}" for name, value in labels.items() if value]
        if self.pinned:
            words.append(" AND pinned")
        if self.tags:
            marks = ", ".join([mark] * len(self.tags))
            words.append(f" AND key IN (SELECT key FROM audiocache_tag WHERE tag IN ({marks}))")
        return "".join(words), [*filter(None, labels.values()), *self.tags]


class Stored(NamedTuple):
    """A row as it was read."""

    values: Sequence[Any]
    """Of READ."""
    standing: Standing
    filed: bool
    """Its sound lies in a storage: where that is not to be had, it is None."""


class Known(NamedTuple):
    """An entry that is in the table: this very one, by when it was made."""

    key: str
    created: int
    standing: Standing


class Table:
    """On an alias; every method raises TierError."""

    def __init__(self, alias: str, clips: SqlClips) -> None:
        self._database = OwnConnection(alias)
        self._clips = clips
        self._sql = dialect_for(self._database.wrapper.vendor)
        mark = self._sql.mark
        self._rows = f"SELECT {', '.join(READ)}, {', '.join(_BESIDE)} FROM audiocache_entry"
        self._stand = (
            f"UPDATE audiocache_entry SET pinned = {mark}, hits = {mark}, used = {mark}"
            f" WHERE key = {mark} AND created = {mark}"
        )
        self._stand_again = (
            f"UPDATE audiocache_entry SET pinned = (pinned OR {mark}),"
            f" hits = {self._sql.greatest}(hits, {mark})"
            f" WHERE key = {mark} AND created = {mark}"
        )

    def chosen(self, choice: Choice) -> Iterator[list[Stored]]:
        """The rows that are there now, by id, in portions of BATCH rows and BATCH_BYTES."""
        for portion in portions(self._ids(choice), itemgetter(1)):
            ids = [row_id for row_id, _ in portion]
            marks = ", ".join([self._sql.mark] * len(ids))
            found = self._database.query(f"{self._rows} WHERE id IN ({marks}) ORDER BY id", ids)
            yield [self._stored(row) for row in found]

    def _stored(self, row: Sequence[Any]) -> Stored:
        """With its sound, where that is to be had."""
        values = list(row[: len(READ)])
        pinned, hits, used, size, name = row[len(READ) :]
        if values[AUDIO] is None and name:
            with suppress(FileTrouble):
                values[AUDIO] = self._clips.sound(name, size)
        return Stored(values, Standing(bool(pinned), hits, used), bool(name))

    def count(self, choice: Choice) -> int:
        """Rows that are chosen now."""
        where, values = choice.conditions(self._sql.mark)
        sql = f"SELECT COUNT(*) FROM audiocache_entry WHERE id > 0{where}"
        return int(self._database.query(sql, values)[0][0])

    def there(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are kept at `now` (ms)."""
        found: set[str] = set()
        for batch in batches(keys):
            marks = ", ".join([self._sql.mark] * len(batch))
            sql = f"SELECT key FROM audiocache_entry WHERE key IN ({marks})"
            rows = self._database.query(f"{sql} AND keep_until > {self._sql.mark}", [*batch, now])
            found.update(key for (key,) in rows)
        return found

    def stand(self, rows: Iterable[Known]) -> None:
        """Give entries that were brought in their pins, hits and last use."""
        values = [(*row.standing, row.key, row.created) for row in sorted(rows)]
        self._database.run_many(self._stand, values)

    def stand_again(self, rows: Iterable[Known]) -> None:
        """And those that an interrupted run brought in; another sound of the key stays as it is."""
        values = [(*row.standing[:2], row.key, row.created) for row in sorted(rows)]
        self._database.run_many(self._stand_again, values)

    def _ids(self, choice: Choice) -> Iterator[tuple[int, int]]:
        """Ids and sizes, those that are there at the beginning."""
        [(last,)] = self._database.query("SELECT COALESCE(MAX(id), 0) FROM audiocache_entry")
        where, values = choice.conditions(self._sql.mark)
        mark, at = self._sql.mark, 0
        sql = (
            f"SELECT id, CAST(size AS BIGINT) FROM audiocache_entry WHERE id > {mark}"
            f" AND id <= {mark}{where} ORDER BY id LIMIT {mark}"
        )
        while rows := self._database.query(sql, [at, last, *values, LOOK]):
            yield from rows
            at = rows[-1][0]
