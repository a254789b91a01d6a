"""What a look at the installation tells."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that is wrong. It names no text, no tag and no key of a provider."""

    name: str
    what: str
    why: str
    """It matters."""
    mend: str
    """What to type or set."""


def mend(name: str) -> str:
    """The command that mends what has this name."""
    return f"manage.py audiocache mend {name}"
