"""What a forked child must not inherit: locks held by threads that it does not have."""

from __future__ import annotations

import importlib.util
import os
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Final, Protocol


class Forkable(Protocol):
    """Has locks, threads or connections of its process."""

    def after_fork(self) -> None:
        """Called in the child: start anew with fresh ones."""


_forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_in_child(thing: Forkable) -> None:
    """Have `thing.after_fork()` called in every forked child for as long as it lives."""
    _forkable.add(thing)


class RenewedLock:
    """A re-entrant lock that is free in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        renew_in_child(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def acquire(self, timeout: float) -> bool:
        """Wait at most so many seconds; False when it was not to be had."""
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def __exit__(self, *_: object) -> None:
        self.release()

    def after_fork(self) -> None:
        """Renew it unless it can be had: who forks while it holds the lock still gives it back."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


_in_child: Final[list[Callable[[], None]]] = []


def call_in_child(work: Callable[[], None]) -> None:
    """Have `work()` called in every forked child, once, in the order of these calls."""
    _in_child.append(work)


def unannounced() -> bool:
    """May this process be forked without being told before? Then it leaves nothing open.

    It is a uWSGI master, which forks past Python and tells the children alone.
    """
    return _uwsgi is not None and _uwsgi.worker_id() == 0


def _renew_all() -> None:
    for thing in list(_forkable):
        thing.after_fork()


class _Child:
    """Notices, however it is told, that this is another process."""

    process = os.getpid()

    @classmethod
    def begins(cls) -> None:
        if cls.process != os.getpid():
            cls.process = os.getpid()
            for work in _in_child:
                work()


def _under_uwsgi() -> ModuleType | None:
    """The module that uWSGI alone has, with our hook in it."""
    try:
        uwsgi = importlib.import_module("uwsgi")
    except ImportError:
        return None
    if uwsgi.masterpid() and importlib.util.find_spec("uwsgidecorators"):
        importlib.import_module("uwsgidecorators")  # it takes the hook for itself: before us
    before: Callable[[], None] | None = getattr(uwsgi, "post_fork_hook", None)

    def hook() -> None:
        _Child.begins()
        if before is not None:
            before()

    uwsgi.post_fork_hook = hook  # type: ignore[attr-defined]  # the server makes the module
    return uwsgi


_uwsgi: Final = _under_uwsgi()
call_in_child(_renew_all)
os.register_at_fork(after_in_child=_Child.begins)
