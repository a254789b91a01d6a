"""Work that a fork must not cut in two: a fork waits for it, and it waits for a fork.

Entering takes no lock: each thread writes its own place, and looks whether somebody forks only
then. Who is about to fork says so first, and only then looks who is inside. So one of the two
always sees the other.
"""

from __future__ import annotations

import time
from threading import get_ident
from typing import Final

PATIENCE_SECONDS: Final = 3.0
"""A fork goes ahead then: it may be what those inside are waiting for."""
_LOOK_SECONDS: Final = 0.001


class ForkGate:
    """A re-entrant context manager for threads; `shut` and `open` are for who forks."""

    def __init__(self) -> None:
        self._inside: dict[int, int] = {}
        self._forking: set[int] = set()

    def __enter__(self) -> None:
        me = get_ident()
        if (depth := self._inside.get(me, 0)) or me in self._forking:
            self._inside[me] = depth + 1
            return
        self._inside[me] = 1
        while self._forking:
            self._inside.pop(me, None)
            time.sleep(_LOOK_SECONDS)
            self._inside[me] = 1

    def __exit__(self, *_: object) -> None:
        me = get_ident()
        if (depth := self._inside.pop(me, 1) - 1) > 0:
            self._inside[me] = depth

    def enters(self) -> bool:
        """Go in at once and leave by `leaves`; False: somebody forks, or this thread is inside.

        Half of what `with` costs.
        """
        me, inside = get_ident(), self._inside
        if self._forking or me in inside:
            return False
        inside[me] = 1
        if self._forking:
            self.leaves()
            return False
        return True

    def leaves(self) -> None:
        """After `enters`."""
        self._inside.pop(get_ident(), None)

    def shut(self) -> None:
        """Let nobody in, and wait until the others have left, for a bounded time."""
        me = get_ident()
        self._forking.add(me)
        until = time.monotonic() + PATIENCE_SECONDS
        while any(one != me for one in list(self._inside)) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def open(self) -> None:
        """The fork is done, or failed."""
        self._forking.discard(get_ident())

    def holds(self, thread: int) -> bool:
        """Is this thread inside?"""
        return thread in self._inside

    def open_in_child(self) -> None:
        """Only the thread that forked is here; where it was inside, it still is."""
        self._forking.clear()
        for thread in list(self._inside):
            if thread != get_ident():
                del self._inside[thread]
