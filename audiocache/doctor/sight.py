"""The cache's database, looked at and not touched: SQLite's file is opened for reading alone."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connections

WAIT_SECONDS = 2.0
STEPS = 10_000
"""Of SQLite's machine between two looks at the clock."""


class Sight(ABC):
    """Answers SELECTs, with `?` for values; raises what the driver raises."""

    vendor: str

    @abstractmethod
    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    def row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row."""
        return self.rows(sql, values)[0]

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row."""
        return self.row(sql, values)[0]


class FileSight(Sight):
    """A file of SQLite's."""

    vendor = "sqlite"

    def __init__(self, path: Path) -> None:
        address = f"file:{quote(str(path))}?mode=ro"
        self._connection = sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows."""
        return self._connection.execute(sql, values).fetchall()

    def rows_within(self, seconds: float, sql: str) -> list[Any]:
        """All rows. Raises TimeoutError; may be interrupted as anything else."""
        until = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        try:
            return self.rows(sql)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            # What was raised within the handler is known as an interruption alone.
            raise (TimeoutError if time.monotonic() > until else KeyboardInterrupt) from error
        finally:
            self._connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class DjangoSight(Sight):
    """Any other database, on Django's connection of its alias."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.vendor = connections[alias].vendor

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows."""
        with connections[self._alias].cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values or None)
            return list(cursor.fetchall())

    def close(self) -> None:
        """Leave it as it was."""


def sight_of(alias: str, path: Path | None) -> Sight:
    """Of a file where there is one."""
    return DjangoSight(alias) if path is None else FileSight(path)
