"""The cache's database connections and a fork: parent and child never share one.

Two processes on one PostgreSQL socket read each other's answers, and closing it in the child
ends the parent's session. SQLite remembers by process which locks it holds: a child with
the memory of an open file takes none of its own, and others may change the file under it, or
it waits for ever for a writer that it does not have. So no thread has a file open while one
forks; where that cannot be, in a transaction, the child does without the file.
"""

from __future__ import annotations

import os
import weakref
from contextlib import AbstractContextManager, nullcontext
from threading import get_ident
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from audiocache.exceptions import TierUnavailable
from audiocache.fork_gate import ForkGate
from audiocache.forks import call_in_child

_aliases: Final[set[str]] = set()
_files: Final[dict[int, weakref.ref[BaseDatabaseWrapper]]] = {}
"""SQLite connections of all threads. Not a WeakSet: a copy of a dict's values is one step."""
_left_open: Final[dict[int, list[BaseDatabaseWrapper]]] = {}
"""By thread that forks: what could not be closed. Held, for threads take theirs with them."""
_lost: Final[set[str]] = set()
"""Aliases whose file this process must not touch."""
_kept: Final[list[object]] = []
"""What a child got from its parent: never used, and never closed by the garbage collector."""
gate: Final = ForkGate()


def keep_apart(alias: str) -> None:
    """See to it that children open connections of their own to this alias."""
    _aliases.add(alias)


def in_use(wrapper: BaseDatabaseWrapper) -> AbstractContextManager[None]:
    """Around each use of a connection of this thread's: no fork comes in between.

    Raises TierUnavailable where this process inherited the open file.
    """
    if wrapper.alias in _lost:
        raise TierUnavailable("its file was open in a transaction when this process was forked")
    return gate if wrapper.vendor == "sqlite" else nullcontext()


def close(wrapper: BaseDatabaseWrapper) -> None:
    """A connection of this thread's. It is a use, too: SQLite has locks of the process meanwhile,
    which a child would find taken for ever.
    """
    with gate if wrapper.vendor == "sqlite" else nullcontext():
        wrapper.close()


def _note(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A connection was opened, by whatever code; the ORM's statements are uses, too."""
    if connection.vendor == "sqlite" and not _in_memory(connection):
        number = id(connection)
        _files[number] = weakref.ref(connection, lambda _: _files.pop(number, None))
        if _statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(_statement)


def _statement(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    with gate:
        return execute(sql, params, many, context)


def _open_here() -> list[BaseDatabaseWrapper]:
    """Those of the thread that forks."""
    if not _aliases:  # Django may not even be configured
        return []
    own = (one for one in connections.all(initialized_only=True) if one.alias in _aliases)
    return [one for one in own if one.connection is not None and not _in_memory(one)]


def _open_files() -> list[BaseDatabaseWrapper]:
    """Those of all threads, but for the site's own, which other code reads row by row."""
    known = (reference() for reference in list(_files.values()))
    return [
        one
        for one in known
        if one is not None and one.connection is not None and one.alias in _aliases
        and (one.alias != DEFAULT_DB_ALIAS or _thread_of(one) == get_ident())
    ]  # fmt: skip


def _thread_of(wrapper: BaseDatabaseWrapper) -> int:
    """Whose connection it is."""
    thread: int = wrapper._thread_ident  # type: ignore[attr-defined]  # noqa: SLF001 - Django has no other word for it
    return thread


def _in_memory(wrapper: BaseDatabaseWrapper) -> bool:
    """A copy of a database in memory is the child's own, and all it has."""
    if wrapper.vendor != "sqlite":
        return False
    return bool(wrapper.is_in_memory_db())  # type: ignore[attr-defined]  # SQLite's wrapper has it


def close_files() -> None:
    """Before a fork, in the parent, which opens a file again in a millisecond."""
    gate.shut()
    for wrapper in _open_files():
        if not (wrapper.in_atomic_block or gate.holds(_thread_of(wrapper))):
            # Not the wrapper's own `close`: that is for its own thread, and for no event loop.
            raw, wrapper.connection = wrapper.connection, None
            if raw is not None:  # other code's thread, which has just closed it
                raw.close()
    _left_open[get_ident()] = _open_files()


def go_on() -> None:
    """After a fork, in the parent."""
    _left_open.pop(get_ident(), None)
    gate.open()


def forget() -> None:
    """In the child: with the wrapper goes what it knows of the parent's transaction."""
    gate.open_in_child()
    left_open = _left_open.get(get_ident()) or _open_files()
    _left_open.clear()
    _lost.update(wrapper.alias for wrapper in left_open)
    for wrapper in _open_here():
        del connections[wrapper.alias]
        # Django keeps pools by alias, for all threads.
        _kept.append(getattr(wrapper, "_connection_pools", {}).pop(wrapper.alias, None))
        _kept.append(wrapper)
    _kept.extend(left_open)


connection_created.connect(_note)
call_in_child(forget)
os.register_at_fork(before=close_files, after_in_parent=go_on)
