"""What a tier offers that can keep places: see `audiocache.places`.

All times are in ms, by the clock of the store. Names are told as digests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Final

from audiocache.clock import HOUR_MS

FORGET_MS: Final = HOUR_MS
"""After so long nothing is left of it."""


class PlaceStore(ABC):
    """Where places are kept. Every verb answers, or raises TierError."""

    creep_ms: int = 30_000
    """After so long without trouble a narrowed limit is one wider."""

    @abstractmethod
    def take(self, name: str, limit: int, owner: str, ms: int) -> bool:
        """Hold a place for at most `ms`; False when `limit`, or what it was narrowed to, do."""

    @abstractmethod
    def extend(self, name: str, owners: Collection[str], ms: int) -> bool:
        """Hold the places of these owners for `ms` from now on, but none that another has."""

    @abstractmethod
    def give_back(self, name: str, owner: str) -> bool:
        """Give a place back, if it is still the owner's."""

    @abstractmethod
    def narrow(self, name: str, limit: int, *, firm: bool = False) -> bool:
        """From now on no more than `limit` at once; each `creep_ms` one more, unless it is firm."""

    @abstractmethod
    def lower(self, name: str, most: int) -> bool:
        """From now on one less than what is allowed now of `most`; it creeps up again."""

    @abstractmethod
    def pause(self, name: str, ms: int) -> bool:
        """Nobody is to begin for so long; a longer pause stays."""

    @abstractmethod
    def paused(self, name: str) -> int:
        """For how long nobody is to begin; 0: now."""
