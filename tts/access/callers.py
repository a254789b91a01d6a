"""Who asks, and what he may: the value that authentication gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SPEECH: Final = "speech"
CATALOGUE: Final = "catalogue"
TIMING: Final = "timing"
SCOPES: Final = {
    SPEECH: "POST /v1/audio/speech",
    CATALOGUE: "GET /v1/audio/voices and /v1/models",
    TIMING: "answers say where the time went",
}
"""What may be asked for, by scope."""
USUAL: Final = (SPEECH, CATALOGUE)


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key's owner; a site's own authentication makes one, too."""

    name: str
    namespace: str = ""
    """His clips are his own; empty: shared with all who have none."""
    scopes: frozenset[str] = frozenset(USUAL)
    key_id: int | None = None
    """Of the row, where there is one."""
    is_limited: bool = False
    """His row limits the characters of a day."""

    def may(self, scope: str) -> bool:
        """Has he this scope?"""
        return scope in self.scopes
