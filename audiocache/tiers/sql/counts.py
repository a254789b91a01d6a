"""Counters as rows: one for all time, one for the hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HOUR_MS: Final = 3_600_000


def rows_of(deltas: Mapping[str, int], now: int) -> list[tuple[str, str, int, int]]:
    """Name, resolution, period, value; in an order, so that two writers cannot deadlock."""
    hour = now - now % HOUR_MS
    return sorted(
        (name, resolution, period, value)
        for name, value in deltas.items()
        for resolution, period in (("a", 0), ("h", hour))
    )
