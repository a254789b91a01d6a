"""What an erasure did, what is still to come, and what only others can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

DONE: Final = "erased"
PENDING: Final = "pending"
"""It could not be done now."""
KEPT: Final = "kept"
"""Until somebody decides to do what costs more than a removal may."""
OTHERS: Final = "not ours"


class Step(NamedTuple):
    """One place where the sound or the text may be."""

    place: str
    state: str
    """DONE, PENDING, KEPT or OTHERS."""
    told: str
    """What was found or done, in a sentence."""
    type_: str = ""
    """What is typed to finish it."""

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "place": self.place,
            "state": self.state,
            "told": self.told,
            "type": self.type_ or None,
        }


class Report(NamedTuple):
    """The steps of one erasure, in the order of the places."""

    entries: int
    """Rows that the database had."""
    removed: bool
    """A tier had something."""
    steps: Sequence[Step]

    @property
    def complete(self) -> bool:
        """Is all that is the cache's gone by now?"""
        return not any(step.state in {PENDING, KEPT} for step in self.steps)

    @property
    def failed(self) -> bool:
        """Was there something that could not be done?"""
        return any(step.state == PENDING for step in self.steps)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "entries": self.entries,
            "removed": self.removed,
            "complete": self.complete,
            "steps": [step.facts() for step in self.steps],
        }
