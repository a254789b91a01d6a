"""Leases: who does a thing that only one process may do, and what came of it.

Kept where processes share them (`Tier.leases`). All times are of that store's own clock.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar, Final, NamedTuple

KEPT_MS: Final = 60_000
"""An outcome can be read for so long."""
STORED: Final = "stored"
NOWHERE: Final = "nowhere"
"""It was made, and no tier could take it: whoever waited for it makes it anew."""
ABANDONED: Final = "abandoned"
FAILED: Final = "failed "
"""Begins the outcome of a making that failed; what follows says how."""


class Lease(NamedTuple):
    """What a store knows of a lease."""

    holder: str
    """The owner token of who holds it, or held it last; empty when it was given back."""
    left_ms: int
    """Until its deadline; 0 or below: anybody may take it."""
    settled_by: str = ""
    """The owner token of who gave it back last."""
    outcome: str = ""
    """What came of it then."""

    def knows(self, owner: str) -> bool:
        """Does it say what became of the turn of this owner?"""
        return owner in (self.holder, self.settled_by)


class LeaseStore(ABC):
    """Leases by name in one place. Every method raises TierError alone."""

    apart: ClassVar[bool] = False
    """It fails and works by itself: its trouble says nothing of the tier that offers it."""

    @abstractmethod
    def take(self, wanted: Mapping[str, str], ms: int) -> dict[str, Lease]:
        """Hold each name for its owner token from now on for `ms`, unless another does.

        Who asks again with its token extends. What is held, by whomever, after that.
        """

    @abstractmethod
    def settle(self, name: str, owner: str, outcome: str) -> bool:
        """Give a lease back with what came of it; False when another holds it by now."""

    @abstractmethod
    def look(self, names: Collection[str]) -> dict[str, Lease]:
        """Those that are known."""

    def sweep(self) -> None:  # noqa: B027 - a store may forget by itself
        """Forget what ended long ago."""

    def close(self) -> None:  # noqa: B027 - a store may hold nothing
        """Give connections back; the next use opens others."""


def new_owner() -> str:
    """A token that nobody else has."""
    return secrets.token_hex(16)
