"""Hits that the tiers have not been told of yet: reads do not write (law 9).

What a hit has saved is counted here, too, beside its way: what a clip cost is noted when it
comes into this process, and looked up when the hits are flushed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from audiocache.entries import AudioEntry
from audiocache.forks import RenewedLock

REMEMBERED: Final = 100_000
"""Hits between two flushes, and keys that wait to be told; older ones are forgotten first."""
PRICED: Final = 20_000
"""Clips whose cost is known; those that came first are forgotten first."""


class Touches:
    """Keys as they are hit. Safe under threads: on the way, each step is one call of a deque."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque(maxlen=REMEMBERED)
        self._sorted: dict[str, int] = {}
        """Hits by key that were drained in part."""
        self._lock = RenewedLock()
        self._costs: OrderedDict[str, int] = OrderedDict()
        self.saved = 0
        """What the hits that were flushed would have cost, in this process."""
        self.add = self._keys.append
        self.add_all = self._keys.extend

    def forget(self) -> None:
        """They are another's to tell."""
        self._keys.clear()
        self._sorted.clear()

    def note_costs(self, entries: Iterable[AudioEntry]) -> None:
        """These are here now: what a hit of them saves."""
        for entry in entries:
            self._learn(entry.key, entry.cost or 0)

    def _learn(self, key: str, cost: int) -> None:
        before = self._costs.get(key, cost)
        if before != cost:  # it was bought anew: the hits until now were of the former one
            hits = self._keys.count(key) + self._sorted.get(key, 0)
            self.saved += hits * (before - cost)
        self._costs[key] = cost
        self._costs.move_to_end(key)
        if len(self._costs) > PRICED:
            self._costs.popitem(last=False)

    def add_unpaid(self, entry: AudioEntry) -> None:
        """A use that saves nothing: nobody would have been paid."""
        cost = entry.cost or 0
        self._learn(entry.key, cost)
        self.saved -= cost
        self.add(entry.key)

    def unpriced(self, keys: Iterable[str]) -> list[str]:
        """Those of which it is not known what they cost."""
        return [key for key in keys if key not in self._costs]

    def count_saved(self, hits: Mapping[str, int]) -> None:
        """Hits by key, as they were drained."""
        saved = sum(self._costs.get(key, 0) * number for key, number in hits.items())
        self.saved += saved

    def drain(self, most: int = REMEMBERED) -> dict[str, int]:
        """Hits by key since the last time, the key hit last at the end; of so many keys."""
        with self._lock:
            for key in self._taken():
                self._sorted[key] = self._sorted.pop(key, 0) + 1
            for key in list(islice(self._sorted, max(0, len(self._sorted) - REMEMBERED))):
                del self._sorted[key]
            return {key: self._sorted.pop(key) for key in list(islice(self._sorted, most))}

    @property
    def left(self) -> int:
        """Keys that the last `drain` left."""
        return len(self._sorted)

    def __len__(self) -> int:
        return len(self._keys) + len(self._sorted)

    def _taken(self) -> Iterable[str]:
        for _ in range(len(self._keys)):
            try:
                yield self._keys.popleft()
            except IndexError:  # another thread drains at the same time
                return
