"""The cache's own database connection: statements to the driver, errors as TierError.

Not through Django's cursor: while DEBUG is on it keeps and logs every statement with its
values, which are texts and audio here; and it costs as much as a small look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache import inherited, own_file
from audiocache.database import is_of_tests
from audiocache.exceptions import TierUnavailable
from audiocache.forks import unannounced
from audiocache.legacy.target import Limits
from audiocache.tiers.sql import patience, session
from audiocache.tiers.sql.quick import QuickReads
from audiocache.tiers.sql.sending import send, send_many
from audiocache.tiers.sql.trouble import (
    CAUGHT,
    is_locked_file,
    is_of_a_value,
    is_undecodable,
    is_unprepared,
    trouble_of,
)
from audiocache.tiers.sql.waiting import bounded_waits


class OwnConnection:
    """Django's connection of an alias, one a thread; every method raises TierError alone."""

    def __init__(self, alias: str, limits: Limits | None = None) -> None:
        self.alias = alias
        self._limits = limits
        self._was_test = False
        self._quick = QuickReads(alias)
        inherited.keep_apart(alias)

    @property
    def wrapper(self) -> BaseDatabaseWrapper:
        """The connection of this thread, open or not."""
        return connections[self.alias]

    @property
    def is_test(self) -> bool:
        """Is it the database of a test run, which is dropped at its end?"""
        return self._is_known and is_of_tests(self.wrapper.settings_dict)

    @property
    def outlived_its_tests(self) -> bool:
        """Is the test run over whose database it was? What was counted there is not the site's."""
        return self._was_test and self._is_known and not self.is_test

    @property
    def _is_known(self) -> bool:
        """A test may have taken back the alias that it had registered."""
        return self.alias in connections.databases

    def read(self, sql: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a SELECT, the short way where it is open."""
        rows = self._quick.rows(sql, values)
        return self.query(sql, values) if rows is None else rows

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows that a statement returns."""
        reading = sql.startswith("SELECT")
        with self._trouble(reading=reading) as connection:
            try:
                rows = send(connection, sql, values)
            except Exception as error:
                if not (reading and is_undecodable(error)):
                    raise
            else:
                if reading:
                    self._quick.learn(connection)
                return rows
            return _rows_with_damage(connection, sql, values)

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """A statement that returns nothing."""
        with self._trouble() as connection:
            send(connection, sql, values)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """A statement for each row, in one transaction."""
        with self.transaction(), self._trouble() as connection:
            send_many(connection, sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements within, or none."""
        with self._trouble(), transaction.atomic(using=self.alias):
            yield

    def release(self) -> None:
        """Close this thread's connection; its next use opens another."""
        if not self._is_known:
            return
        own_file.notice_loss(self.alias)
        if not self.wrapper.in_atomic_block:  # it is a test's, which wants it back
            inherited.close(self.wrapper)

    def pause(self) -> None:
        """Keep a server's connection for who uses it every few seconds, but for a test run's."""
        if not self._is_known or self.is_test or self.wrapper.vendor == "sqlite":
            self.release()

    @contextmanager
    def _trouble(self, *, reading: bool = False) -> Iterator[BaseDatabaseWrapper]:
        connection = self._known()
        try:
            own_file.prepare(connection, self._limits)
            with inherited.in_use(connection):
                self._open(connection)
                with connection.wrap_database_errors, _bounded(connection):
                    yield connection
            if not reading:
                patience.wrote(self.alias)
        except CAUGHT as error:
            self._recover_from(error, connection)
            # Without the driver's error, which a traceback in a log would quote.
            raise trouble_of(error, reading=reading) from None
        finally:
            if unannounced():
                self.release()

    def _known(self) -> BaseDatabaseWrapper:
        """Raises TierUnavailable when a test has taken back the alias that it had registered, and
        when all tests are over: the alias means the site's own database then.
        """
        if not self._is_known:
            raise TierUnavailable("its alias is no longer in DATABASES")
        if self.outlived_its_tests:
            raise TierUnavailable("the test run is over whose database it was")
        connection = self.wrapper
        if connection.connection is None:  # to prepare a file is to open it
            self._was_test = self._was_test or self.is_test
        return connection

    def _open(self, connection: BaseDatabaseWrapper) -> None:
        _ask_for_leave(connection)
        if connection.connection is None:
            patience.open_(connection)

    def _recover_from(self, error: Exception, connection: BaseDatabaseWrapper) -> None:
        """Begin anew next time: with another connection, and with a look at the file.

        In a transaction, Django would open another at once, to end it there.
        """
        if is_of_a_value(error):
            return
        own_file.notice_loss(self.alias)
        if is_unprepared(error):
            session.distrust(connection, connection.connection)
        if is_locked_file(error):
            patience.waited_in_vain(self.alias)
            return
        if not connection.in_atomic_block or getattr(connection.connection, "closed", False):
            inherited.close(connection)
        own_file.unprepare(self.alias)


def _ask_for_leave(connection: BaseDatabaseWrapper) -> None:
    """Django's TestCase forbids a database by another `cursor`; we would go on without one.

    Raises its error, which says what to declare.
    """
    instead = vars(connection).get("cursor")  # what it wrapped, once the test is over
    if instead is not None and hasattr(instead, "wrapped"):
        instead()


def _bounded(connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    if connection.vendor == "postgresql":
        return bounded_waits(connection.connection)
    if connection.vendor == "sqlite":
        patience.bound(connection)
    return nullcontext()


def _rows_with_damage(
    connection: BaseDatabaseWrapper, sql: str, values: Sequence[Any]
) -> list[Any]:
    """Read again, with bytes where a text of SQLite's is no UTF-8: the others are sound."""
    raw = connection.connection
    before, raw.text_factory = raw.text_factory, _text_with_damage
    try:
        return send(connection, sql, values)
    finally:
        raw.text_factory = before


def _text_with_damage(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
