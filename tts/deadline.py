"""Until when: one instant that a wait and all its parts share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class Deadline:
    """An instant of a clock that no one sets back. Made by `Deadline.after`."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """The instant `seconds` from now."""
        return cls(clock() + seconds, clock)

    def extend(self, seconds: float) -> None:
        """Move it: the time went by in a queue."""
        self.at += seconds

    def remaining(self) -> float:
        """Seconds left; 0.0 when it has passed."""
        return max(0.0, self.at - self.clock())

    def passed(self) -> bool:
        """Is it over?"""
        return self.clock() >= self.at

    def or_within(self, seconds: float) -> Deadline:
        """The same, or `seconds` from now where that is sooner."""
        return Deadline(min(self.at, self.clock() + seconds), self.clock)


_of_call: Final[ContextVar[Deadline | None]] = ContextVar("tts_deadline_of_call", default=None)


@contextmanager
def until(deadline: Deadline) -> Iterator[None]:
    """All that this thread does here for a call is over at the deadline."""
    token = _of_call.set(deadline)
    try:
        yield
    finally:
        _of_call.reset(token)


def of_call() -> Deadline | None:
    """The deadline of what this thread does now; None: it has none."""
    return _of_call.get()
