"""The time, in one unit: whole milliseconds since the epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from audiocache.forks import RenewedLock

Clock = Callable[[], int]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
AHEAD_MS: Final = 1_000
"""How far ahead of the clock a succession may be: then its instants are the same again."""


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00Z, from the system clock."""
    return int(time.time() * 1000)


def utc(ms: int) -> datetime:
    """Milliseconds as a time, in UTC."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


class Instant(NamedTuple):
    """One moment, in ms."""

    now: int
    """By the clock."""
    created: int
    """Later than that of any moment before, also within a millisecond."""


class Succession:
    """Moments that show in which order this process stored clips."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = RenewedLock()

    def __call__(self) -> Instant:
        with self._lock:
            now = self._clock()
            self._last = max(now, min(self._last + 1, now + AHEAD_MS))
            return Instant(now, self._last)
