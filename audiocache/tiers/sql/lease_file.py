"""Leases beside a SQLite file, in a small one of their own.

Not in the file itself: there a lease would wait for those who write clips, and SQLite lets
whoever waits longest go last. Whoever shares the one file is on the same host and shares the
other. It can be deleted at any time: what is in it matters for seconds.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from django.db import connections

from audiocache import own_file
from audiocache.database import in_memory
from audiocache.exceptions import TierError, TierUnavailable
from audiocache.tiers.sql.leases import SqlLeases

TIMEOUT_SECONDS: Final = 0.3
"""For a writer's turn among the processes; each takes less than a millisecond."""
QUEUE_SECONDS: Final = 2.0
"""And among the threads of this one, as long as none has failed meanwhile."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS audiocache_lease (
    name TEXT PRIMARY KEY, owner TEXT NOT NULL, deadline INTEGER NOT NULL, outcome TEXT NOT NULL
) WITHOUT ROWID
"""
_INDEX: Final = "CREATE INDEX IF NOT EXISTS audiocache_lease_end ON audiocache_lease (deadline)"
# Nothing waits for the disk: what is lost with the power is worth nothing afterwards.
_BEGIN: Final = ("PRAGMA synchronous=OFF", "PRAGMA journal_mode=WAL", _TABLE, _INDEX)
_LOCKED: Final = ("SQLITE_BUSY", TimeoutError.__name__)
"""Their names begin so."""
_RUINED: Final = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


class LeaseFile(SqlLeases):
    """One connection for all threads of the process: a verb takes it for microseconds."""

    apart = True
    mark = "?"
    now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

    def __init__(self, alias: str) -> None:
        super().__init__()
        self._alias = alias
        self._connection: sqlite3.Connection | None = None
        self._identity = (0, 0)
        self._failed_at = 0.0
        self._lock = threading.Lock()
        _files.add(self)

    @property
    def path(self) -> Path:
        """Beside the file of the alias, which a test run may change."""
        path = Path(connections[self._alias].settings_dict["NAME"])
        return path.with_name(f"{path.stem}.leases{path.suffix}")

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        with self._lock:
            self._close()

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        came = time.monotonic()
        if not self._lock.acquire(timeout=QUEUE_SECONDS):
            raise TierUnavailable("leases: held up")
        try:
            if self._failed_at > came:  # what another met inside, those who waited need not meet
                raise TierUnavailable("leases: it failed meanwhile")
            with self._trouble():
                return self._open().execute(sql, values).fetchall()
        finally:
            self._lock.release()

    def _open(self) -> sqlite3.Connection:
        """The connection to the file that lies there now; it may have been deleted."""
        path = self.path
        if self._connection is None or _identity(path) != self._identity:
            self._close()
            self._connection = _connect(path)
            self._identity = _identity(path)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """A TierError that quotes nothing. A ruined file is thrown away: the next use makes one."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            if code.startswith(_LOCKED):
                self._failed_at = time.monotonic()
                raise TierUnavailable(f"leases {code}") from None
            self._close()
            if code in _RUINED:
                _remove(self.path)
            raise TierError(f"leases {code}") from None

    # A fork: SQLite remembers by process which locks it holds, so no child may have seen it open.

    def before_fork(self) -> None:
        """Close it, and let no thread open it until the fork is done."""
        self._lock.acquire()
        self._close()

    def after_fork(self) -> None:
        """On both sides it may be opened again."""
        self._lock.release()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if in_memory(str(path)):
        raise OSError("no file")
    until = time.monotonic() + TIMEOUT_SECONDS
    with own_file.turns.on(path.with_suffix(".lock"), until):  # SQLite's own is not for this
        connection = sqlite3.connect(
            path, timeout=TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in _BEGIN:
                connection.execute(statement)
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int]:
    try:
        known = path.stat()
    except FileNotFoundError:
        return 0, 0
    return known.st_dev, known.st_ino


_files: Final[weakref.WeakSet[LeaseFile]] = weakref.WeakSet()
_forking: Final = threading.local()
"""Several threads may fork at once: each closes what it finds, and lets go of that."""


def _before_fork() -> None:
    _forking.files = list(_files)
    for file in _forking.files:
        file.before_fork()


def _after_fork() -> None:
    for file in vars(_forking).pop("files", ()):
        file.after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
