"""Until when: one instant that a wait and all its parts share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


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
