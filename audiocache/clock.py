"""The time, in one unit: whole milliseconds since the epoch."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def now_ms() -> int:
    """Milliseconds since 1970-01-01T00:00Z, from the system clock."""
    return int(time.time() * 1000)
