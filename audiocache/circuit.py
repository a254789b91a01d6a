"""Passing over what is broken: one call in a period tries again, the others do not wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from audiocache.exceptions import TierError, TierUnavailable

logger = logging.getLogger(__name__)

PROBE_SECONDS: Final = 5.0


class Circuit:
    """Open after an outage; lets one caller through each `period` seconds until one succeeds.

    Trouble that is no outage (a busy pool, a refused value) leaves it closed. Either is
    logged once, until a call succeeds again.
    """

    def __init__(
        self,
        name: str,
        *,
        period: float = PROBE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.available = True
        self._period = period
        self._clock = clock
        self._probe_at = 0.0
        self._trouble: type[TierError] | None = None

    def allows(self) -> bool:
        """May a call be tried now? While open, True for one caller each period."""
        if self.available:
            return True
        now = self._clock()
        if now < self._probe_at:
            return False
        self._probe_at = now + self._period
        return True

    def failed(self, error: TierError) -> None:
        """A call failed."""
        if isinstance(error, TierUnavailable):
            self._probe_at = self._clock() + self._period
            self.available = False
        if self._trouble is not type(error):
            self._trouble = type(error)
            logger.warning(
                "tier in trouble tier=%s kind=%s error=%s", self.name, type(error).__name__, error
            )

    def worked(self) -> None:
        """A call succeeded."""
        if self._trouble is not None:
            self._trouble = None
            self.available = True
            logger.warning("tier works again tier=%s", self.name)
