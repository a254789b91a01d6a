"""Retry-After (RFC 9110 section 10.2.3): seconds, or a date."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST: Final = 366 * 24 * 3600.0
"""Seconds; who says more means for ever, and no clock holds all that can be said."""


def seconds_to_wait(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that an answer asks to wait; None where it does not, or not understandably.

    A date is read by the clock of the answer's own `Date`, else by `now` (Unix seconds).
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST)
    instant = _instant(value)
    if instant is None:
        return None
    sent = _instant(headers.get("Date", ""))
    seconds = instant - (sent or (time.time() if now is None else now))
    return min(max(0.0, seconds), LONGEST)


def _instant(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return _in_utc(date).timestamp()


def _in_utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=UTC)
