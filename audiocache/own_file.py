"""The cache's own SQLite file: created, migrated and filled from an earlier one at first use."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

from django.core.files import locks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from audiocache import inherited, legacy
from audiocache.database import in_memory, is_own_file
from audiocache.forks import RenewedLock, renew_in_child
from audiocache.legacy.target import Limits

logger = logging.getLogger(__name__)

BUSY: Final = "another process prepares the cache's file"
PATIENCE_SECONDS: Final = 5.0
"""Another's creating, migrating and filling of the file is waited for so long (law 3)."""
WRITER_SECONDS: Final = 20
"""And other writers, by who migrates or imports."""
LOOK_SECONDS: Final = 0.02

_ready: Final[set[str]] = set()
"""Aliases that this process has looked at."""
_inodes: Final[dict[str, int]] = {}
"""Of their files."""
_lost: Final[Counter[str]] = Counter()
"""How often an alias lost its file: connections opened before lead to one that has no name."""
_SEEN: Final = "audiocache_lost"
_lock = RenewedLock()


def prepare(connection: BaseDatabaseWrapper, limits: Limits | None = None) -> None:
    """Make the connection's file ready, whoever else does the same; any other database is.

    `limits` bound what is taken over from an earlier cache's file. Raises database errors
    and OSError, a TimeoutError when others take too long.
    """
    alias = connection.alias
    if _lost:
        _leave_lost_file(connection)
    if alias in _ready:
        return
    until = time.monotonic() + PATIENCE_SECONDS
    if not _lock.acquire(PATIENCE_SECONDS):
        raise TimeoutError(BUSY)
    try:
        name = str(connection.settings_dict["NAME"])
        if alias not in _ready and is_own_file(alias) and not in_memory(name):
            _prepare_file(connection, Path(name), limits, until)
        _ready.add(alias)
    finally:
        _lock.release()


def is_ready(connection: BaseDatabaseWrapper) -> bool:
    """Was its file made ready, and not lost since it was opened?"""
    alias = connection.alias
    return alias in _ready and (not _lost or vars(connection).get(_SEEN, 0) == _lost[alias])


def unprepare(alias: str) -> None:
    """Look again at the next use: the file is gone, or another one lies in its place."""
    _ready.discard(alias)


def notice_loss(alias: str) -> None:
    """Begin anew where somebody deleted the file: SQLite goes on in one that has no name."""
    inode = _inodes.get(alias)
    if inode is not None and alias in _ready and _inode_of(alias) != inode:
        logger.warning("the cache's file is gone and is made anew alias=%s", alias)
        _lost[alias] += 1
        unprepare(alias)


@contextmanager
def patient(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Wait longer for other writers: no request is behind this."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.wrap_database_errors:
        connection.ensure_connection()
        [before] = connection.connection.execute("PRAGMA busy_timeout").fetchone()
    raw = connection.connection
    raw.execute(f"PRAGMA busy_timeout={WRITER_SECONDS * 1000}")
    try:
        yield
    finally:
        if connection.connection is raw:
            raw.execute(f"PRAGMA busy_timeout={before}")


def _prepare_file(
    connection: BaseDatabaseWrapper, path: Path, limits: Limits | None, until: float
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with turns.on(path.with_suffix(".lock"), until):
        legacy.set_aside(path)
        with inherited.in_use(connection):
            if not path.exists() or not path.stat().st_size:
                with connection.wrap_database_errors:
                    _create(path)
            with patient(connection):
                _migrate(connection)
                legacy.adopt(path, connection.alias, limits)
        _inodes[connection.alias] = path.stat().st_ino


def _leave_lost_file(connection: BaseDatabaseWrapper) -> None:
    lost = _lost[connection.alias]
    if vars(connection).get(_SEEN, 0) != lost and not connection.in_atomic_block:
        inherited.close(connection)
        vars(connection)[_SEEN] = lost


def _inode_of(alias: str) -> int | None:
    try:
        return Path(connections[alias].settings_dict["NAME"]).stat().st_ino
    except FileNotFoundError:
        return None


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
    def on(self, path: Path, until: float) -> Iterator[None]:
        """Hold the lock of this file, one process at a time.

        Raises TimeoutError when it is not to be had `until` then: its holder may be stopped.
        """
        with path.open("w") as file:
            self._held.add(file)
            try:
                while not locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
                    if time.monotonic() >= until:
                        raise TimeoutError(BUSY)
                    time.sleep(LOOK_SECONDS)
                yield
            finally:
                locks.unlock(file)  # closing does not, while a child has the file
                self._held.discard(file)

    def after_fork(self) -> None:
        """Close the child's share; the parent's lock stays as it is."""
        while self._held:
            self._held.pop().close()


turns = _Turns()
