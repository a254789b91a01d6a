"""Walking a container to its end in pure Python: how long it is, and whether all of it is there.

A container that a provider may answer with has a module here and a line in WALKERS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tts.containers.aac import walk_aac
from tts.containers.base import BadContainer, Walked
from tts.containers.flac import walk_flac
from tts.containers.mp3 import walk_mp3
from tts.containers.ogg import walk_ogg
from tts.containers.wav import walk_wav

__all__ = ["WALKERS", "BadContainer", "Walked"]

WALKERS: Final[dict[str, Callable[[bytes], Walked]]] = {
    "audio/wav": walk_wav,
    "audio/mpeg": walk_mp3,
    "audio/ogg": walk_ogg,
    "audio/flac": walk_flac,
    "audio/aac": walk_aac,
}
"""By content type. Each raises BadContainer, and nothing else, for whatever bytes."""
