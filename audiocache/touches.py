"""Hits that the tiers have not been told of yet: reads do not write (law 9)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

REMEMBERED: Final = 100_000
"""Hits between two flushes; older ones are forgotten first."""


class Touches:
    """Keys as they are hit. Safe under threads: each step is one call of a deque."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque(maxlen=REMEMBERED)
        self.add = self._keys.append
        self.add_all = self._keys.extend
        self.forget = self._keys.clear

    def drain(self) -> dict[str, int]:
        """Hits by key since the last time, the key hit last at the end."""
        hits: dict[str, int] = {}
        for key in self._taken():
            hits[key] = hits.pop(key, 0) + 1
        return hits

    def _taken(self) -> Iterable[str]:
        for _ in range(len(self._keys)):
            try:
                yield self._keys.popleft()
            except IndexError:  # another thread drains at the same time
                return
