"""The short way of a look-up: the driver itself, on a connection that the thread has used.

What the long way (`connection.py`) sees to has been seen to by then; what may have changed since
costs a look each. Where one of them fails, or the driver does, the long way is gone, and says
what is wrong. In SQLite it is half of a look-up of four kilobytes, in PostgreSQL an eighth.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache import inherited, own_file
from audiocache.forks import renew_in_child, unannounced
from audiocache.tiers.sql import session
from audiocache.tiers.sql.prepared import PreparedReads

Fetch = Callable[[str, Sequence[Any]], list[Any] | None]


class _Used(NamedTuple):
    """What a thread used last."""

    wrapper: BaseDatabaseWrapper
    raw: Any
    fetch: Fetch
    errors: tuple[type[Exception], ...]
    """Of the driver."""


class _Here(threading.local):
    used: _Used | None = None


class QuickReads:
    """The connections to one alias, by thread."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """The parent's connection is not the child's."""
        self._here = _Here()

    def learn(self, wrapper: BaseDatabaseWrapper) -> None:
        """The long way has just read on it. Raises the driver's errors."""
        used = self._here.used
        if (used is None or used.raw is not wrapper.connection) and not unannounced():
            self._here.used = _used(wrapper)

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any] | None:
        """The rows of a SELECT; None: go the long way."""
        used = self._here.used
        if used is None or not self._as_before(used) or not inherited.gate.enters():
            return None
        try:
            return used.fetch(sql, values)
        except used.errors:
            self._here.used = None
            session.distrust(used.wrapper, used.raw)
            return None
        finally:
            inherited.gate.leaves()

    def _as_before(self, used: _Used) -> bool:
        """Is it open still, its file the one that was looked at, and nobody against it?"""
        wrapper = used.wrapper
        return (
            wrapper.connection is used.raw
            and own_file.is_ready(wrapper)
            # Put there by a test that forbids databases.
            and not hasattr(wrapper.__dict__.get("cursor"), "wrapped")
            and self._alias in connections.databases
        )


def _used(wrapper: BaseDatabaseWrapper) -> _Used | None:
    raw = wrapper.connection
    if wrapper.vendor == "sqlite":
        # Of a cursor that is kept: to make one costs as much as a third of a look-up.
        execute = raw.cursor().execute
        return _Used(
            wrapper,
            raw,
            lambda sql, values: execute(sql, values).fetchall(),
            (sqlite3.Error, UnicodeError),
        )
    if wrapper.in_atomic_block or not session.is_kept(wrapper):
        return None
    from psycopg import Error

    return _Used(wrapper, raw, PreparedReads(raw).rows, (Error, UnicodeError))
