"""What a forked child must not inherit: locks held by threads that it does not have."""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Protocol


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def after_fork(self) -> None:
        """Renew it unless it can be had: who forks while it holds the lock still gives it back."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


def _renew_all() -> None:
    for thing in list(_forkable):
        thing.after_fork()


os.register_at_fork(after_in_child=_renew_all)
