"""The earlier cache's file, open for reading: its rows, and their audio when it is wanted."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import MAXYEAR, datetime, tzinfo
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from audiocache.entries import LATEST, NEVER
from audiocache.exceptions import AudioCacheError

TABLE: Final = "audio_cache"
COLUMNS: Final = (
    "key", "data", "created_at", "accessed_at", "access_count", "size_bytes", "expires_at",
)  # fmt: skip

_SHUT_IN: Final = ("SQLITE_CANTOPEN", "SQLITE_READONLY")
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")

_UTMOST: Final = "\U0010ffff"
"""Behind every moment in the order of the file."""

# Both spellings of a moment, with a T and with a space, in one order.
_USED: Final = "replace(CAST(coalesce(accessed_at, created_at, '') AS TEXT), 'T', ' ')"
_ROWS: Final = f"""
    SELECT rowid, {_USED}, key, CASE typeof(data) WHEN 'blob' THEN length(data) ELSE 0 END,
        created_at, coalesce(accessed_at, created_at), access_count, expires_at
    FROM {TABLE} WHERE ({_USED}, rowid) < (?, ?) ORDER BY 2 DESC, 1 DESC
"""  # noqa: S608 - all of it stands above


class LegacyFileError(AudioCacheError, ValueError):
    """The file is not one of the earlier cache, or cannot be read; names it."""


class Cursor(NamedTuple):
    """How far an import came."""

    moment: str
    rowid: int


START: Final = Cursor(_UTMOST, 0)
"""Of an import that has not begun."""


class Row(NamedTuple):
    """A row of the earlier table, without its audio. Instants in ms since the epoch."""

    cursor: Cursor
    digest: str
    size: int
    created: int
    used: int
    hits: int
    expires: int


class LegacyFile:
    """An earlier cache's file, open for reading alone. Raises LegacyFileError."""

    def __init__(self, path: Path, zone: tzinfo | None = None) -> None:
        self.path = path
        self._zone = zone
        if not path.is_file():
            raise LegacyFileError(f"{path} is not a file")
        self._connection = self._open()

    def __len__(self) -> int:
        """Rows."""
        [(number,)] = self._query(f"SELECT COUNT(*) FROM {TABLE}")  # noqa: S608 - a constant
        return int(number)

    def rows(self, begin: Cursor) -> Iterator[Row | int]:
        """The rows behind `begin`, the most recently used first; a malformed one's rowid."""
        for values in self._query(_ROWS, begin):
            yield self._row(*values)

    def audio(self, rows: Sequence[Row]) -> dict[int, bytes]:
        """The audio of some rows by rowid."""
        marks = ", ".join("?" * len(rows))
        sql = f"SELECT rowid, data FROM {TABLE} WHERE rowid IN ({marks})"  # noqa: S608 - marks
        return dict(self._query(sql, [row.cursor.rowid for row in rows]))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._checked("mode=ro")
        except sqlite3.Error as error:
            if not self._is_shut_in(error):
                raise
        return self._checked("mode=ro&immutable=1")

    def _is_shut_in(self, error: sqlite3.Error) -> bool:
        """A file in WAL mode where nothing can be written has to be read as it is."""
        reason = getattr(error, "sqlite_errorname", "")
        return reason.startswith(_SHUT_IN) and not self._beside("-wal").exists()

    def _checked(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?{mode}", uri=True)
        try:
            self._check(connection)
        except (sqlite3.Error, LegacyFileError):
            connection.close()
            raise
        # Bytes that are no text are a malformed row, not the end of the import.
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({TABLE})")}
        if missing := [name for name in COLUMNS if name not in found]:
            what = f"no table {TABLE}" if not found else f"no column {', '.join(missing)}"
            raise LegacyFileError(
                f"{self.path} is not an earlier cache's file: there is {what}; "
                f"expected is a table {TABLE}({', '.join(COLUMNS)})"
            )

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)

    def _query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> LegacyFileError:
        return LegacyFileError(
            f"{self.path} cannot be read as a SQLite file with a table {TABLE}: {error}"
        )

    def _row(self, rowid: int, moment: str, key: Any, size: int, *rest: Any) -> Row | int:
        created, used, hits, expires = rest
        if not (isinstance(key, str) and _KEY.fullmatch(key) and size):
            return rowid
        try:
            return Row(
                cursor=Cursor(moment, rowid),
                digest=key.lower(),
                size=size,
                created=_kept(self._instant(created)),
                used=_kept(self._instant(used)),
                hits=max(0, hits) if isinstance(hits, int) else 0,
                expires=NEVER if _is_never(expires) else self._instant(expires),
            )
        except (ValueError, OverflowError):
            return rowid

    def _instant(self, value: object) -> int:
        """A naive local time in ms since the epoch. Raises ValueError, OverflowError.

        Python's rule for the hours of a clock change (fold 0): one that came twice is the
        first, one that never came is as if the clock had not been changed yet.
        """
        if not isinstance(value, str):
            raise ValueError("not a time")
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            # None: as `datetime.now()` of the earlier cache was, the process's local time.
            moment = moment.replace(tzinfo=self._zone)
        return round(moment.timestamp() * 1000)


def names_aside(path: Path) -> Iterator[Path]:
    """audio_cache.legacy.db, audio_cache.legacy-2.db, ..."""
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        yield path.with_name(f"{path.stem}.legacy{ending}{path.suffix}")


def _is_never(value: object) -> bool:
    """Empty, or `datetime.max`: in some time zones it is later than any instant kept here."""
    if value is None or value == "":
        return True
    return isinstance(value, str) and datetime.fromisoformat(value).year == MAXYEAR


def _kept(instant: int) -> int:
    """The nearest instant that a row may have."""
    return min(max(0, instant), LATEST)
