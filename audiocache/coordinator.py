"""Where leases are asked for: in Redis while that tier is up, else in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from audiocache.conf import DISTRIBUTED
from audiocache.leases import LeaseStore
from audiocache.rung import Rung
from audiocache.stats import Recorder
from audiocache.tiers.base import Tier
from audiocache.workers import Executor

R = TypeVar("R")

PATIENCE_SECONDS: Final = 0.6
"""So long a store that does not answer is asked again: two who ask different ones both call."""


class Coordinator:
    """The lease stores of a cache, the best first. A store in trouble is passed over (law 3)."""

    def __init__(self, rungs: Iterable[Rung], recorder: Recorder, executor: Executor) -> None:
        offering = [rung for rung in rungs if rung.tier.leases is not None]
        offering.sort(key=lambda rung: rung.tier.name != DISTRIBUTED)
        self._rungs = [
            Rung(rung.tier, recorder, executor) if _store(rung.tier).apart else rung
            for rung in offering
        ]

    def __bool__(self) -> bool:
        """Can there be another process to agree with?"""
        return bool(self._rungs)

    def ask(self, question: Callable[[LeaseStore], R], seconds: float = 0.0) -> R | None:
        """The answer of the first store that gives one; None when none does.

        Each is given `seconds` to answer after all.
        """
        for rung in self._rungs:
            answer = rung.insist("lease", lambda tier: question(_store(tier)), seconds)
            if answer is not None:
                return answer
        return None

    def release(self) -> None:
        """Close this thread's connections."""
        for rung in self._rungs:
            rung.tier.release()

    def close(self) -> None:
        """Give the stores' connections back; the next use opens others."""
        for rung in self._rungs:
            _store(rung.tier).close()


def _store(tier: Tier) -> LeaseStore:
    assert tier.leases is not None  # only such are here
    return tier.leases
