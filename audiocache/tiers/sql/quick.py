"""The short way of a look-up in SQLite: the driver itself, on a cursor that the thread has used.

What the long way (`connection.py`) sees to has been seen to by then; what may have changed since
costs a look each. Where one of them fails, or the driver does, the long way is gone, and says
what is wrong. Together it is half of a look-up of four kilobytes.
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


class _Used(NamedTuple):
    """What a thread used last."""

    wrapper: BaseDatabaseWrapper
    raw: Any
    execute: Callable[..., Any]
    """Of a cursor that is kept: to make one costs as much as a third of a look-up."""


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
        """The long way has just read on it."""
        if wrapper.vendor == "sqlite" and not unannounced():
            raw = wrapper.connection
            self._here.used = _Used(wrapper, raw, raw.cursor().execute)

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any] | None:
        """The rows of a SELECT; None: go the long way."""
        used = self._here.used
        if used is None or not self._as_before(used) or not inherited.gate.enters():
            return None
        try:
            rows: list[Any] = used.execute(sql, values).fetchall()
            return rows
        except (sqlite3.Error, UnicodeError):
            return None
        finally:
            inherited.gate.leaves()

    def _as_before(self, used: _Used) -> bool:
        """Is it open still, its file the one that was looked at, and nobody against it?"""
        wrapper = used.wrapper
        return (
            wrapper.connection is used.raw
            and own_file.is_ready(self._alias)
            and "cursor" not in wrapper.__dict__  # put there by a test that forbids databases
            and self._alias in connections.databases
        )
