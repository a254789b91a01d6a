"""A provider that is down is not asked at every miss: a breaker for each provider.

Spent quota and a wrong key open it at once, being slowed down and failures of a passing kind
after several in a row; refused content and bad requests never do. While it is open one call in
a period tries again, and the period grows. It belongs to its provider object: the state is
this process's, and each process learns of an outage by its own calls.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from audiocache.belonging import Belongings
from audiocache.forks import RenewedLock
from tts.attempts import outcome_of
from tts.exceptions import (
    BreakerOpen,
    NotAudio,
    ProviderError,
    QuotaSpent,
    RateLimited,
    TransientError,
    WrongKey,
)
from tts.providers.base import Provider

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Family(NamedTuple):
    """Errors that are counted together; times in seconds."""

    kinds: tuple[type[ProviderError], ...]
    failures: int
    """So many in a row open the breaker,"""
    lasting: float
    """where the row has lasted so long: a moment's trouble is what retries are for."""
    first: float
    """Until a call tries again; doubled each time that fails."""
    most: float


ACCOUNT: Final = Family((QuotaSpent, WrongKey), failures=1, lasting=0.0, first=30.0, most=600.0)
# More than the attempts for one clip: one that cannot be made stops no other.
RATE: Final = Family((RateLimited,), failures=5, lasting=2.0, first=2.0, most=60.0)
OUTAGE: Final = Family((TransientError,), failures=5, lasting=2.0, first=5.0, most=60.0)
FAMILIES: Final = (ACCOUNT, RATE, OUTAGE)


@dataclass(slots=True)
class _Trouble:
    """Failures of one family since the last call that succeeded."""

    since: float
    """When the first of the calls began."""
    failures: int = 0
    period: float = 0.0
    """Seconds between two tries; 0 while it has not opened the breaker."""
    probe_at: float = 0.0
    kind: str = ""
    """Of the latest error, as its message and status are."""
    message: str = ""
    status: int | None = None


class Breaker:
    """Safe under threads and forks."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.calm = True
        """No call has failed since the last that succeeded."""
        self.opened = 0
        """How often it has opened."""
        self.refused = 0
        """Calls that were not made."""
        self.clock = clock
        self._lock = RenewedLock()
        self._troubles: dict[Family, _Trouble] = {}

    def guarded(self, call: Callable[[], T]) -> T:
        """What `call` gives, and learn from how it ends. Raises BreakerOpen without a call."""
        probing, began = self._enter(), self.clock()
        try:
            result = call()
        except ProviderError as error:
            self._failed(error, began, probing=probing)
            raise
        self._worked()
        return result

    def refusal(self) -> BreakerOpen | None:
        """Why a call would be refused now, or None; lets nobody through."""
        if self.calm:
            return None
        with self._lock:
            return self._refusal()

    def check(self) -> None:
        """Raise BreakerOpen where a call would be refused now; lets nobody through."""
        if (refusal := self.refusal()) is not None:
            with self._lock:
                self.refused += 1
            raise refusal

    def snapshot(self) -> dict[str, Any]:
        """For statistics: state (closed, open, half-open), kind of error, seconds, numbers."""
        with self._lock:
            opening, numbers = self._latest(), {"opened": self.opened, "refused": self.refused}
            if opening is None:
                return {"state": "closed", "kind": "", "seconds": 0.0} | numbers
            left = max(0.0, opening.probe_at - self.clock())
            state = "open" if left else "half-open"
            return {"state": state, "kind": opening.kind, "seconds": round(left, 1)} | numbers

    # Inside, under the lock

    def _enter(self) -> bool:
        """Before a call: True when it is the one that tries again. Raises BreakerOpen."""
        if self.calm:
            return False
        with self._lock:
            if (refusal := self._refusal()) is not None:
                self.refused += 1
                raise refusal
            # Whoever comes while this call is under way, however long it hangs, waits a period.
            for trouble in self._open():
                trouble.probe_at = self.clock() + trouble.period
            return bool(self._open())

    def _refusal(self) -> BreakerOpen | None:
        opening = self._latest()
        seconds = opening.probe_at - self.clock() if opening else 0.0
        return _refused(self.name, opening, seconds) if opening and seconds > 0 else None

    def _open(self) -> list[_Trouble]:
        return [trouble for trouble in self._troubles.values() if trouble.period]

    def _latest(self) -> _Trouble | None:
        """Of those that opened it, the one that keeps it open longest."""
        return max(self._open(), key=lambda trouble: trouble.probe_at, default=None)

    def _failed(self, error: ProviderError, began: float, *, probing: bool) -> None:
        family = next((family for family in FAMILIES if isinstance(error, family.kinds)), None)
        with self._lock:
            if family is not OUTAGE and not isinstance(error, NotAudio):
                self._recovered(self._troubles.pop(OUTAGE, None))  # it answered
            if family is not None:
                trouble = self._troubles.setdefault(family, _Trouble(since=began))
                self._note(family, trouble, error, probing)
            self.calm = not self._troubles

    def _note(self, family: Family, trouble: _Trouble, error: ProviderError, probing: bool) -> None:
        trouble.failures += 1
        # Of the error only words: itself holds frames, and the request it came from.
        trouble.kind, trouble.message, trouble.status = outcome_of(error), str(error), error.status
        if trouble.period and not probing:
            return  # It began before the breaker opened: it tells nothing new.
        lasted = self.clock() - trouble.since
        if trouble.failures < family.failures or lasted < family.lasting:
            return
        if not trouble.period:
            self.opened += 1
            logger.warning("breaker open provider=%s kind=%s", self.name, trouble.kind)
        trouble.period = min(family.most, trouble.period * 2 or family.first)
        wait = max(trouble.period, min(error.retry_after or 0.0, family.most))
        trouble.probe_at = self.clock() + wait

    def _worked(self) -> None:
        if not self.calm:
            with self._lock:
                troubles, self._troubles, self.calm = self._troubles, {}, True
                self._recovered(*troubles.values())

    def _recovered(self, *troubles: _Trouble | None) -> None:
        if any(trouble and trouble.period for trouble in troubles) and not self._latest():
            logger.warning("breaker closed provider=%s", self.name)


def _refused(name: str, opening: _Trouble, seconds: float) -> BreakerOpen:
    refusal = BreakerOpen(
        f"{name} is not asked for another {math.ceil(seconds)} s: {opening.message}",
        provider=name,
        status=opening.status,
        retry_after=seconds,
    )
    refusal.kind = opening.kind
    return refusal


# Of the providers of this process


_of_providers: Belongings[Provider, Breaker] = Belongings()


def breaker_of(provider: Provider) -> Breaker:
    """The breaker that goes with a provider."""
    return _of_providers.of(provider, lambda: Breaker(provider.name))
