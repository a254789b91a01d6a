"""The cache's own database connection: statements to the driver, errors as TierError.

Not through Django's cursor: while DEBUG is on it keeps and logs every statement with its
values, which are texts and audio here; and it costs as much as a small look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache import own_file
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.legacy.target import Limits


class OwnConnection:
    """Django's connection of an alias, one a thread; every method raises TierError alone."""

    def __init__(self, alias: str, limits: Limits | None = None) -> None:
        self.alias = alias
        self._limits = limits

    @property
    def wrapper(self) -> BaseDatabaseWrapper:
        """The connection of this thread, open or not."""
        return connections[self.alias]

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement returns."""
        with self._trouble() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(sql, values)
            return cursor.fetchall()  # type: ignore[no-any-return]

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """A statement that returns nothing."""
        with self._trouble() as connection:
            connection.connection.cursor().execute(sql, values)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """A statement for each row, in one transaction."""
        with self.transaction(), self._trouble() as connection:
            connection.connection.cursor().executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements within, or none."""
        with self._trouble(), transaction.atomic(using=self.alias):
            yield

    def release(self) -> None:
        """Close this thread's connection; its next use opens another."""
        if not self.wrapper.in_atomic_block:  # it is a test's, which wants it back
            self.wrapper.close()

    @contextmanager
    def _trouble(self) -> Iterator[BaseDatabaseWrapper]:
        connection = self.wrapper
        try:
            own_file.prepare(connection, self._limits)
            connection.ensure_connection()
            with connection.wrap_database_errors:
                yield connection
        except (DatabaseError, InterfaceError, OSError) as error:
            self._recover(connection)
            raise _tier_error(error) from error

    def _recover(self, connection: BaseDatabaseWrapper) -> None:
        """Begin anew next time: with another connection, and with a look at the file."""
        if not connection.in_atomic_block:
            connection.close()
        own_file.unprepare(self.alias)


def _tier_error(error: Exception) -> TierError:
    reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if isinstance(error, OperationalError) and "locked" in reason:
        return TierBusy(reason)
    if isinstance(error, OperationalError | InterfaceError | OSError) or _schema_is_missing(error):
        return TierUnavailable(reason)
    # Others may quote a value in their message.
    return TierError(type(error).__name__)


def _schema_is_missing(error: Exception) -> bool:
    """PostgreSQL says so with a ProgrammingError: 42P01 no table, 42703 no column."""
    return getattr(error.__cause__, "sqlstate", "") in {"42P01", "42703"}
