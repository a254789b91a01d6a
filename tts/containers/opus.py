"""How long packets of Opus last, told by their first two bytes (RFC 6716, 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress
from operator import not_
from typing import Final

RATE: Final = 48_000
"""Ticks a second, whatever rate the encoder was given."""

_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
_FRAME: Final = (*_SILK * 3, *_HYBRID * 2, *_CELT * 4)
"""Ticks of a frame, by the upper five bits of the first byte."""
_FRAMES: Final = (1, 2, 2, 0)
"""Of a packet, by the lower two; 0: the second byte says it."""
_PACKET: Final = tuple(_FRAME[first >> 3] * _FRAMES[first & 3] for first in range(256))


def ticks(audio: bytes, begins: Iterable[int]) -> int:
    """Of the packets that begin there; 0 for what is none."""
    places = list(begins)
    told = [_PACKET[audio[at]] for at in places]
    return sum(told) + sum(_counted(audio, at) for at in compress(places, map(not_, told)))


def _counted(audio: bytes, at: int) -> int:
    count = int.from_bytes(audio[at + 1 : at + 2], "big") & 63
    return _FRAME[audio[at] >> 3] * count
