"""Threads for slow calls, apart by who is asked: who hangs holds up no call of another.

Lanes are few and each is bounded, and so are the threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from audiocache.workers import Executor, Workers

R = TypeVar("R")

MOST: Final = 16
"""Lanes; who comes later shares the one without a name."""


class Lanes:
    """Executors by name, made when they are first used; or one that was given, for all."""

    def __init__(self, name: str, given: Executor | None = None) -> None:
        self._name = name
        self._given = given
        self._lanes: dict[str, Executor] = {}

    def submit(self, call: Callable[[], R], lane: str = "") -> Future[R]:
        """Run `call` on a thread of its lane."""
        return self._lane(lane).submit(call)

    def close(self, farewell: Callable[[], None]) -> None:
        """See `Executor.close`: each lane in turn."""
        for lane in list(self._lanes.values()):
            lane.close(farewell)

    def _lane(self, name: str) -> Executor:
        if self._given is not None:
            return self._given
        if name not in self._lanes and len(self._lanes) >= MOST:
            name = ""
        # Without a lock, which a fork could leave taken: of two made at once, one stays.
        return self._lanes.get(name) or self._lanes.setdefault(name, Workers(self._name))
