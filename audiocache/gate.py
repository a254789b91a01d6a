"""A fair semaphore: first come, first served.

In a semaphore or queue of the standard library, a thread that just left enters again before
those that wait: with 64 threads at 10 connections the last ones starve past any time-out.
"""

from __future__ import annotations

import threading
from collections import deque

from audiocache.forks import renew_in_child


class Gate:
    """Lets `places` threads in at once."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.after_fork()
        renew_in_child(self)

    def enter(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a place; False when none became free."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        return turn.acquire(timeout=timeout) or self._gave_up(turn)

    def leave(self) -> None:
        """Hand the place to whoever waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _gave_up(self, turn: threading.Lock) -> bool:
        """Leave the queue; True when a place was handed over in this very moment."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True

    def after_fork(self) -> None:
        """Start anew: in a child nobody is inside and nobody waits."""
        self._free = self._places
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()
