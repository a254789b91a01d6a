"""Where leases are held: in Redis and in the database, in each of them that answers.

In both, so that none is lost with one of them: who finds Redis gone, emptied or silent is told by
the database whose turn it is. Redis is asked first, and who is told there asks no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from audiocache.conf import DISTRIBUTED
from audiocache.leases import ABANDONED, Lease, LeaseStore
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
            Rung(rung.tier, recorder, executor, probed=False) if _store(rung.tier).apart else rung
            for rung in offering
        ]

    def __bool__(self) -> bool:
        """Can there be another process to agree with?"""
        return bool(self._rungs)

    def take(self, name: str, owner: str, ms: int) -> Lease | None:
        """The lease of whoever holds it: the owner where every store that answers says so.

        None when none answers.
        """
        lease: Lease | None = None
        holding: list[Rung] = []
        for rung in self._rungs:
            leases = _ask(rung, lambda store: store.take({name: owner}, ms), PATIENCE_SECONDS)
            if leases is None:
                continue
            lease = leases[name]
            if lease.holder != owner:
                for other in reversed(holding):
                    _ask(other, lambda store: store.settle(name, owner, ABANDONED))
                break
            holding.append(rung)
        return lease

    def extend(self, held: Mapping[str, str], ms: int) -> None:
        """Hold names for their owners for longer, also where a store has forgotten them."""
        for rung in self._rungs:
            _ask(rung, lambda store: store.take(held, ms))

    def settle(self, name: str, owner: str, outcome: str) -> None:
        """Give a lease back with what came of it.

        In the best store last: who is told by that one must find it free in the others.
        """
        for place, rung in reversed(list(enumerate(self._rungs))):
            # Where a better one works, those who wait are told by that.
            better = any(other.circuit.available for other in self._rungs[:place])
            patience = 0.0 if better else PATIENCE_SECONDS
            _ask(rung, lambda store: store.settle(name, owner, outcome), patience)

    def look(self, owners: Mapping[str, str]) -> dict[str, Lease]:
        """What is known of the lease that each owner took, from names by owner."""
        found: dict[str, Lease] = {}
        sure: dict[str, Lease] = {}
        for rung in self._rungs:
            unsure = {owner: name for owner, name in owners.items() if owner not in sure}
            known = _look(rung, unsure) if unsure else {}
            sure |= {owner: lease for owner, lease in known.items() if lease.knows(owner)}
            found = known | found
        return found | sure

    def release(self) -> None:
        """Close this thread's connections."""
        for rung in self._rungs:
            rung.tier.release()

    def close(self) -> None:
        """Give the stores' connections back; the next use opens others."""
        for rung in self._rungs:
            _store(rung.tier).close()


def _ask(rung: Rung, question: Callable[[LeaseStore], R], seconds: float = 0.0) -> R | None:
    """The store's answer, which it is given `seconds` to give after all; None: there is none."""
    return rung.insist("lease", lambda tier: question(_store(tier)), seconds)


def _look(rung: Rung, owners: Mapping[str, str]) -> dict[str, Lease]:
    leases = _ask(rung, lambda store: store.look(set(owners.values()))) or {}
    return {owner: leases[name] for owner, name in owners.items() if name in leases}


def _store(tier: Tier) -> LeaseStore:
    assert tier.leases is not None  # only such are here
    return tier.leases
