"""What the tiers need beside look-ups: clean-up, counters, connections, and a look at each."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Final

from audiocache.clock import Clock
from audiocache.rung import Rung
from audiocache.touches import Touches

YOUNG_SECONDS: Final = 3.0
"""An outage may be a process' own lateness: what was paid for is worth another question."""
PORTION: Final = 500
"""Keys of which the tiers are told at once."""


class Care:
    """Looks after the tiers of a ladder; one in trouble is passed over."""

    rungs: list[Rung]
    touches: Touches
    _clock: Clock

    def cleanup(self) -> dict[str, int]:
        """Remove what is past its time; how many entries by tier."""
        return {
            rung.tier.name: rung.attempt("remove", lambda tier: tier.cleanup()) or 0
            for rung in self.rungs
        }

    def recheck(self) -> None:
        """Ask what broke down a moment ago once more: something paid for is to be stored."""
        for rung in self.rungs:
            rung.recheck(YOUNG_SECONDS)

    def flush_touches(self, until: float = math.inf) -> bool:
        """Tell the tiers which keys were hit since the last time, oldest first (law 9).

        False when there are more at that time (of the monotonic clock): they wait.
        """
        for _ in range(len(self.touches) // PORTION + 1):
            if not (hits := self._drained()):
                return True
            self._tell_hits(hits)
            if time.monotonic() >= until:
                break
        return not self.touches.left

    def _tell_hits(self, hits: Mapping[str, int]) -> None:
        now = self._clock() - self.touches.left  # each key has an instant of its own
        for rung in self.rungs:
            rung.attempt("", lambda tier: tier.touched(hits, now))

    def _drained(self) -> dict[str, int]:
        """A portion of the hits by key, and what they saved counted."""
        hits = self.touches.drain(PORTION)
        if unpriced := self.touches.unpriced(hits):
            for rung in self.rungs:
                self.touches.note_costs(rung.tier.peek_many(unpriced))
        self.touches.count_saved(hits)
        return hits

    def release(self) -> None:
        """Close this thread's connections."""
        for rung in self.rungs:
            rung.tier.release()

    def rest(self) -> None:
        """Close what this thread must not hold open until it is needed next."""
        for rung in self.rungs:
            rung.tier.rest()

    def pause(self) -> None:
        """Close those of this thread's connections that are opened again at no cost."""
        for rung in self.rungs:
            rung.tier.pause()

    def close(self) -> None:
        """Close this thread's connections and those that nobody uses."""
        for rung in self.rungs:
            rung.do(lambda tier: tier.close())

    def add_counts(self, deltas: Mapping[str, int]) -> bool:
        """Add to the installation's counters; False when no tier took them: keep them."""
        now = self._clock()
        return any(
            rung.attempt("", lambda tier: tier.add_counts(deltas, now))
            for rung in self.rungs
            if rung.tier.keeps_counts
        )

    def read_counts(self) -> dict[str, int]:
        """The installation's counters, from the first tier that keeps them."""
        for rung in self.rungs:
            if rung.tier.keeps_counts:
                return rung.attempt("", lambda tier: tier.read_counts()) or {}
        return {}

    def backends(self) -> dict[str, dict[str, Any]]:
        """What each tier says of itself, and whether it is available."""
        return {
            rung.tier.name: {
                **(rung.attempt("", lambda tier: tier.stats()) or rung.tier.unknown_stats()),
                **rung.tier.counts,
                "available": rung.circuit.available,
            }
            for rung in self.rungs
        }
