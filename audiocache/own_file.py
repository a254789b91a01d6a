"""The cache's own SQLite file: created, migrated and filled from an earlier one at first use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

from django.core.files import locks
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from audiocache import legacy
from audiocache.database import in_memory, is_own_file
from audiocache.forks import RenewedLock, renew_in_child
from audiocache.legacy.target import Limits

_ready: Final[set[str]] = set()
"""Aliases that this process has looked at."""
_lock = RenewedLock()


def prepare(connection: BaseDatabaseWrapper, limits: Limits | None = None) -> None:
    """Make the connection's file ready, whoever else does the same; any other database is.

    `limits` bound what is taken over from an earlier cache's file. Raises database errors
    and OSError.
    """
    alias = connection.alias
    if alias in _ready:
        return
    with _lock:
        name = str(connection.settings_dict["NAME"])
        if alias not in _ready and is_own_file(alias) and not in_memory(name):
            _prepare_file(connection, Path(name), limits)
        _ready.add(alias)


def unprepare(alias: str) -> None:
    """Look again at the next use: the file is gone, or another one lies in its place."""
    _ready.discard(alias)


def _prepare_file(connection: BaseDatabaseWrapper, path: Path, limits: Limits | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with turns.on(path.with_suffix(".lock")):
        legacy.set_aside(path)
        if not path.exists() or not path.stat().st_size:
            with connection.wrap_database_errors:
                _create(path)
        _migrate(connection)
        legacy.adopt(path, connection.alias, limits)


def _create(path: Path) -> None:
    """An empty file that can give pages back: this is set before the first table or never.

    Not with the pragmas of each connection: it takes the lock of a writer every time.
    """
    with closing(sqlite3.connect(path)) as new:
        new.execute("PRAGMA auto_vacuum=INCREMENTAL")
        new.execute("PRAGMA journal_mode=WAL")


def _migrate(connection: BaseDatabaseWrapper) -> None:
    # Not the migrate command: its signals would create other apps' rows in this file.
    executor = MigrationExecutor(connection)
    targets = executor.loader.graph.leaf_nodes("audiocache")
    if executor.migration_plan(targets):
        executor.migrate(targets)


class _Turns:
    """Locks on files. A child forked meanwhile shares the lock: it would wait for itself."""

    def __init__(self) -> None:
        self._held: set[IO[str]] = set()
        renew_in_child(self)

    @contextmanager
    def on(self, path: Path) -> Iterator[None]:
        """Hold the lock of this file, one process at a time."""
        with path.open("w") as file:
            self._held.add(file)
            try:
                locks.lock(file, locks.LOCK_EX)
                yield
            finally:
                locks.unlock(file)  # closing does not, while a child has the file
                self._held.discard(file)

    def after_fork(self) -> None:
        """Close the child's share; the parent's lock stays as it is."""
        while self._held:
            self._held.pop().close()


turns = _Turns()
