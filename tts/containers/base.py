"""What walking a container gives."""

from __future__ import annotations

from typing import NamedTuple


class BadContainer(ValueError):
    """Not a whole file of its kind; the message says where it breaks, without its bytes."""


class Walked(NamedTuple):
    """What walking a whole container has shown."""

    duration_ms: int | None = None
    codec: str = ""
    """Where the container may hold several: opus or vorbis."""
    silent: bool | None = None
    """None: the sound lies coded, only decoding shows it."""
