"""How a making is shared with other processes, for how long it may hold them up, and how its
error is told to them; and whom it may hold up in this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from audiocache.exceptions import MakingFailed


def kind_of(error: Exception) -> str:
    """The class alone: a message may quote a text (law 11)."""
    return type(error).__name__


def failed_elsewhere(told: str) -> Exception:
    """What a caller gets of an error in another process."""
    return MakingFailed(told)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What goes with `create`."""

    seconds: float = 600.0
    """A making that takes longer frees the clip for others, who begin anew."""
    leased: bool = True
    """False: making it twice costs nothing, so no other process is asked."""
    pack: Callable[[Exception], str] = kind_of
    """An error as text, without anything that must stay in this process."""
    unpack: Callable[[str], Exception] = failed_elsewhere
    """The error to raise for that text where it was not made."""
    apart: str = ""
    """Makings of a clip are shared where this is the same: by those who ask the same account."""
    lane: str = ""
    """Makings of one name have threads of their own: those who ask the same provider."""

    def name_of(self, source_key: str) -> str:
        """Of the flight and of the turn: what is made, and apart from whom."""
        named = f"{source_key} {self.apart}".encode()
        return hashlib.sha256(named).hexdigest() if self.apart else source_key


SHARED: Final = Sharing()
"""For makings of which nothing is known."""
ALONE: Final = Sharing(leased=False)
