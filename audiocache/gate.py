"""A fair semaphore: first come, first served, within a rank.

In a semaphore or queue of the standard library, a thread that just left enters again before
those that wait: with 64 threads at 10 connections the last ones starve past any time-out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count

from audiocache.forks import renew_in_child

_Waiting = tuple[int, int, threading.Lock]
"""Rank, number and what is released when it is this one's turn."""


class Gate:
    """Lets `places` threads in at once."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._free: int
        self._waiting: list[_Waiting]
        self._numbers: Iterator[int]
        self._lock: threading.Lock
        self.after_fork()
        renew_in_child(self)

    def enter(self, timeout: float, rank: int = 0) -> bool:
        """Wait at most `timeout` seconds for a place; False when none became free.

        Of those who wait, the lowest rank is served first.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            heappush(self._waiting, (rank, next(self._numbers), turn))
        try:
            return turn.acquire(timeout=max(0.0, timeout)) or self._gave_up(turn)
        except BaseException:  # by a signal's handler: a task's time limit, say
            if self._gave_up(turn):
                self.leave()
            raise

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def inside(self) -> int:
        """How many are in."""
        return self._places - self._free

    def leave(self) -> None:
        """Hand the place to whoever waits longest."""
        with self._lock:
            if self._waiting:
                heappop(self._waiting)[-1].release()
            else:
                self._free += 1

    def _gave_up(self, turn: threading.Lock) -> bool:
        """Leave the queue; True when a place was handed over in this very moment."""
        with self._lock:
            left = [waiting for waiting in self._waiting if waiting[-1] is not turn]
            if len(left) == len(self._waiting):
                return True
            heapify(left)
            self._waiting = left
        return False

    def after_fork(self) -> None:
        """Start anew: in a child nobody is inside and nobody waits."""
        self._free = self._places
        self._waiting = []
        self._numbers = count()
        self._lock = threading.Lock()
