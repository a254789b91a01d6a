"""The values of the ledger: a paid call, what was bought with it, and how much may be spent.

Amounts are millionths of the currency's unit, instants milliseconds. Never a text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import uuid4

from audiocache.exceptions import AudioCacheError
from audiocache.fields import LARGEST

BEGUN: Final = "begun"
"""The outcome of a call that has not ended, or whose process was killed."""
OK: Final = "ok"

EXPIRED: Final = "expired"
"""The life of what was bought was over."""
EVICTED: Final = "evicted"
"""It had to make room."""
REMOVED: Final = "removed"
"""Somebody removed or replaced it, or cleared the cache."""
LOST: Final = "lost"
"""None of these: no tier took it, or the database's file is gone."""
CACHE_OFF: Final = "cache_off"
"""Whoever asked wanted it made anew, or not stored."""
CAUSES: Final = (EXPIRED, EVICTED, REMOVED, LOST, CACHE_OFF)


def new_call() -> str:
    """A name for a call."""
    return uuid4().hex


class PaidCall(NamedTuple):
    """A call for which a provider may ask money: as it begins, or as it ended."""

    call: str
    at: int
    """When it began: what it costs is the price of this instant."""
    source_key: str
    namespace: str
    provider: str
    model: str
    voice: str
    number: int
    """1 for the first call for a clip, 2 for the first retry."""
    units: int
    unit: str
    characters: int
    cost: int | None
    """None: the price is not known."""
    estimated: bool
    cause: str = ""
    """CACHE_OFF where that is known; the ledger finds the others."""
    outcome: str = BEGUN
    latency_ms: int | None = None
    billed: bool = True
    """False: it ended in a way that costs nothing."""

    @property
    def name(self) -> tuple[str, ...]:
        """Whose account it is on."""
        return self.provider, self.model, self.voice


class Bought(NamedTuple):
    """What a call brought."""

    size: int
    """Bytes."""
    expires: int
    """Until when it is fresh."""
    stored: bool = True
    """False: nobody wanted it stored."""


class Sums(NamedTuple):
    """Of a day or a month."""

    characters: int = 0
    cost: int = 0


NO_LIMIT: Final = Sums(LARGEST, LARGEST)


class Limits(NamedTuple):
    """The most that may be spent."""

    day: Sums = NO_LIMIT
    month: Sums = NO_LIMIT


UNLIMITED: Final = Limits()


class Spending(NamedTuple):
    """What is spent, begun calls too."""

    day: Sums = Sums()
    month: Sums = Sums()


class OverLimit(AudioCacheError):
    """The call would spend more than may be spent in its `period`: day or month."""

    def __init__(self, period: str, spent: Sums) -> None:
        super().__init__(f"the limit of this {period} would be passed")
        self.period = period
        self.spent = spent


def periods(at: int) -> tuple[str, str]:
    """The names of an instant's day and month (UTC)."""
    moment = datetime.fromtimestamp(at / 1000, tz=UTC)
    return f"{moment:%Y-%m-%d}", f"{moment:%Y-%m}"
