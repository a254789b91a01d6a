"""What a forked child must not inherit: locks held by threads that it does not have."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Has locks, threads or connections of its process."""

    def after_fork(self) -> None:
        """Called in the child: start anew with fresh ones."""


_forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()


def renew_in_child(thing: Forkable) -> None:
    """Have `thing.after_fork()` called in every forked child for as long as it lives."""
    _forkable.add(thing)


def _renew_all() -> None:
    for thing in list(_forkable):
        thing.after_fork()


os.register_at_fork(after_in_child=_renew_all)
