"""Rows whose sound lies in a storage: the file first, then the row; the row first, then the file.

A crash leaves a file without a row at worst, which `sweep` finds. Each table has homes of its own
in a storage, known to both: so a storage that is another's, or not mounted, costs no row.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from django.db import transaction

from audiocache.conf import PERSISTENT
from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry, TierUnavailable
from audiocache.legacy.target import Limits
from audiocache.rows import AUDIO, READ, SCHEMA_VERSION, entry_in
from audiocache.tiers.clip_files import ClipFiles, FileTrouble, new_home
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import batches
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.log_base import LogStatements

SPARED_SECONDS: Final = 3600
"""A younger file may be one whose row is about to come."""
HOME: Final = "clips.home."
_SCHEMA = READ.index("schema_version")


class EntryConnection(OwnConnection):
    """Where an entry's row is deleted its file goes, too, once that is committed."""

    def __init__(self, alias: str, limits: Limits, files: ClipFiles) -> None:
        super().__init__(alias, limits)
        self._files = files

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement returns; of one that deletes, without the files' names."""
        rows = super().query(sql, values)
        if not sql.startswith("DELETE FROM audiocache_entry"):
            return rows
        self.drop(row[-1] for row in rows if row[-1])
        return [row[:-1] for row in rows]

    def drop(self, names: Iterable[Any]) -> None:
        """Delete files when what is done now is committed, if it is."""
        if not (gone := [name for name in names if isinstance(name, str)]):
            return
        if self.wrapper.in_atomic_block:
            transaction.on_commit(lambda: self._files.drop(gone), using=self.alias)
        else:
            self._files.drop(gone)


class Filed(NamedTuple):
    """Sounds that were put into the storage, for rows that are about to be written."""

    names: dict[str, str]
    """By key."""
    taken: set[str]
    """The keys whose row was written, as the writer says."""


class SqlClips:
    """The sounds of a table that lie beside it."""

    def __init__(
        self, database: EntryConnection, sql: Dialect, files: ClipFiles, counts: dict[str, int]
    ) -> None:
        self._counts = counts
        self._database = database
        self.files = files
        self._sql = sql
        self._log = LogStatements(sql)
        self._home = ""
        self._in_use = bool(files.inline_max)
        self._row = (
            f"SELECT {', '.join(READ)}, storage_name, CAST(size AS BIGINT) FROM audiocache_entry"
            f" WHERE key = {sql.mark}"
        )
        self._lost = (
            "DELETE FROM audiocache_entry WHERE id IN (SELECT id FROM audiocache_entry"
            f" WHERE key = {sql.mark} AND storage_name = {sql.mark}{sql.lock_free_rows})"
            " RETURNING key, storage_name"
        )

    def entry(self, key: str) -> AudioEntry | None:
        """With its sound; None: that is lost, which is counted, and the row is gone.

        Raises TierError; FileTrouble when nobody can tell; CorruptEntry.
        """
        for *row, name, size in self._database.query(self._row, [key]):
            if row[AUDIO] is None and name and _is_known(row[_SCHEMA]):
                if not isinstance(name, str):
                    raise CorruptEntry("the name of its file is none")
                self._in_use = True
                row[AUDIO] = self.sound(name, size)
                if row[AUDIO] is None:
                    lost = len(self._database.query(self._lost, [key, name]))
                    self._counts["corrupt"] += lost
                    return None
            return entry_in(row, PERSISTENT)
        return None

    def sound(self, name: str, size: int) -> bytes | None:
        """From its file; None: that is lost. Raises FileTrouble when nobody can tell."""
        return self.files.sound(name, size)

    @contextmanager
    def filed(self, entries: Sequence[AudioEntry]) -> Iterator[Filed]:
        """Within, the large ones are in the storage; then those that got no row are not, and
        neither are those that were replaced.
        """
        before = self._names([entry.key for entry in entries]) if self._in_use else {}
        filed = Filed(dict(self._saved(entries)), set())
        try:
            yield filed
        except TierUnavailable:
            filed.names.clear()  # their rows may stand there: it is the sweep's to find out
            raise
        finally:
            unwanted = [name for key, name in filed.names.items() if key not in filed.taken]
            replaced = [name for key, name in before.items() if key in filed.taken]
            self._database.drop([*unwanted, *replaced])

    def sweep(self, older_than: float = SPARED_SECONDS) -> int:
        """Delete the files in this table's homes that have no row; how many."""
        if not self.files.exists:
            return 0
        try:
            return sum(self._sweep(home, older_than) for home in self._homes())
        except FileTrouble:
            return 0  # it has been logged; the next clean-up tries again

    def _sweep(self, home: str, older_than: float) -> int:
        deleted = 0
        for names in self._without_row(home, older_than):
            self.files.drop(names)
            deleted += len(names)
        return deleted

    def without_row(self) -> Iterator[str]:
        """The files of this table's homes that no row names, however young. Raises TierError."""
        for home in self._homes():
            for names in self._without_row(home, -math.inf):
                yield from names

    def _without_row(self, home: str, older_than: float) -> Iterator[list[str]]:
        return self.files.without_row(
            home, lambda keys: set(self._names(keys).values()), time.time() - older_than
        )

    def _saved(self, entries: Iterable[AudioEntry]) -> Iterator[tuple[str, str]]:
        """Keys and names; in trouble, a sound stays in its row: it is paid for."""
        for entry in entries:
            if self.files.takes(entry):
                try:
                    yield entry.key, self.files.save(self._home or self._find_home(), entry)
                except FileTrouble:
                    return

    @property
    def has_homes(self) -> bool:
        """Has a sound of this table ever been put into a storage that may still have it?"""
        homes = self._database.query(self._log.states, [f"{HOME}%"])
        return bool(homes) and self.files.exists

    def _find_home(self) -> str:
        """One that this table and this storage know; else a new one."""
        self._home = next(self._homes(), "") or self._new_home()
        return self._home

    def _homes(self) -> Iterator[str]:
        """Those of this table in this storage."""
        for name, _ in self._database.query(self._log.states, [f"{HOME}%"]):
            home = name.removeprefix(HOME)
            if self.files.has(home):
                yield home

    def _new_home(self) -> str:
        home = new_home()
        self.files.mark(home)
        self._database.run(self._log.new_state, [f"{HOME}{home}", ""])
        return home

    def _names(self, keys: Collection[str]) -> dict[str, str]:
        """The files of those of these keys that have one."""
        found: dict[str, str] = {}
        for batch in batches(keys):
            marks = ", ".join([self._sql.mark] * len(batch))
            sql = f"SELECT key, storage_name FROM audiocache_entry WHERE key IN ({marks})"
            found |= dict(self._database.query(f"{sql} AND storage_name <> ''", batch))
        return found


def _is_known(schema: object) -> bool:
    return isinstance(schema, int) and schema <= SCHEMA_VERSION
