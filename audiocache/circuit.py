"""Passing over what is broken: one call in a period tries again, the others do not wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from audiocache.exceptions import TierBusy, TierError, TierUnavailable

logger = logging.getLogger(__name__)

PROBE_SECONDS: Final = 5.0
_OUTAGE: Final = None
"""Where the trouble is noted that concerns every operation."""


class Circuit:
    """Open after an outage; lets one caller through each `period` seconds until one succeeds.

    The first is let through after `first` seconds, and each later one after twice as long, up
    to the period: most outages are short. Trouble that is no outage (a busy pool, a refused
    value) leaves it closed. Either is logged once, until a call succeeds again.
    """

    def __init__(
        self,
        name: str,
        *,
        period: float = PROBE_SECONDS,
        first: float = PROBE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.available = True
        self._period = period
        self._first = min(first, period)
        self._pause = self._first
        self._clock = clock
        self._probe_at = 0.0
        self._opened_at = 0.0
        self._trouble: dict[str | None, tuple[type[TierError], float]] = {}
        """What was last wrong, and when."""

    def allows(self, *, patience: float = 0.0) -> bool:
        """May a call be tried now? While open, True for one caller each period.

        With `patience`, in seconds, somebody else is to try: True when that is so long overdue.
        """
        if self.available:
            return True
        if not self.is_probe_due(patience):
            return False
        self._pause = min(2 * self._pause, self._period)
        self._probe_at = self._clock() + self._pause
        return True

    def is_probe_due(self, patience: float = 0.0) -> bool:
        """Is it so long past the time of the next try?"""
        return self._clock() >= self._probe_at + patience

    def is_open_since(self, seconds: float) -> bool:
        """Is there an outage, no older than that?"""
        return not self.available and self._clock() - self._opened_at < seconds

    def failed(self, error: TierError, operation: str = "") -> None:
        """A call failed; trouble that is no outage is that of an operation."""
        now = self._clock()
        if isinstance(error, TierUnavailable):
            self._open(now)
            self._note(_OUTAGE, error, now)
            return
        if not isinstance(error, TierBusy):  # it was there to refuse
            self.available = True
            self._trouble.pop(_OUTAGE, None)
        self._note(operation, error, now)

    def worked(self, operation: str = "") -> None:
        """A call succeeded: an outage is over. So is an operation's trouble, once it has not
        failed for a period: now and then is no change of state.
        """
        if self.available and not self._trouble:
            return
        if not self.available or _OUTAGE in self._trouble:
            self._trouble.clear()
            self.available = True
        elif not self._forget_old(operation):
            return
        if not self._trouble:
            logger.warning("tier works again tier=%s", self.name)

    def _open(self, now: float) -> None:
        if self.available:
            self._pause = self._first
            self._opened_at = now
        self._probe_at = now + self._pause
        self.available = False

    def _note(self, what: str | None, error: TierError, now: float) -> None:
        known, self._trouble[what] = self._trouble.get(what), (type(error), now)
        if known is None or known[0] is not type(error):
            logger.warning(
                "tier in trouble tier=%s kind=%s error=%s", self.name, type(error).__name__, error
            )

    def _forget_old(self, operation: str) -> bool:
        """Forget the trouble it had, where there was none for a period; was it so?"""
        known = self._trouble.get(operation)
        if known is None or self._clock() - known[1] < self._period:
            return False
        return self._trouble.pop(operation, None) is not None
