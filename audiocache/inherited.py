"""The cache's database connections and a fork: parent and child never share one.

Two processes on one PostgreSQL socket read each other's answers, and closing it in the child
ends the parent's session. SQLite remembers by process which locks it holds: a child with
the memory of an open file takes none of its own, and others may change the file under it.
"""

from __future__ import annotations

import os
from typing import Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

_aliases: Final[set[str]] = set()
_kept: Final[list[object]] = []
"""What a child got from its parent: never used, and never closed by the garbage collector."""


def keep_apart(alias: str) -> None:
    """See to it that children open connections of their own to this alias."""
    _aliases.add(alias)


def _open_here() -> list[BaseDatabaseWrapper]:
    """Those of the thread that forks; no other lives on in the child."""
    if not _aliases:  # Django may not even be configured
        return []
    own = (one for one in connections.all(initialized_only=True) if one.alias in _aliases)
    return [one for one in own if one.connection is not None and not _in_memory(one)]


def _in_memory(wrapper: BaseDatabaseWrapper) -> bool:
    """A copy of a database in memory is the child's own, and all it has."""
    if wrapper.vendor != "sqlite":
        return False
    return bool(wrapper.is_in_memory_db())  # type: ignore[attr-defined]  # SQLite's wrapper has it


def _close_files() -> None:
    """In the parent, which opens the file again in a millisecond when it needs it."""
    for wrapper in _open_here():
        if wrapper.vendor == "sqlite" and not wrapper.in_atomic_block:
            wrapper.close()


def _forget() -> None:
    """In the child: with the wrapper goes what it knows of the parent's transaction."""
    for wrapper in _open_here():
        _kept.append(wrapper)
        del connections[wrapper.alias]
        # Django keeps pools by alias, for all threads.
        _kept.append(getattr(wrapper, "_connection_pools", {}).pop(wrapper.alias, None))


os.register_at_fork(before=_close_files, after_in_child=_forget)
