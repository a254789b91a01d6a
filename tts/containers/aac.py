"""AAC in ADTS frames (ISO 13818-7), one behind the other to the end; a tag may be before them."""

from __future__ import annotations

from typing import Final

from tts.containers.base import BadContainer, Pieces, Walked
from tts.containers.tags import behind_tags

RATES: Final = (
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
)  # fmt: skip
SAMPLES: Final = 1024
"""Of one raw data block."""
HEADER: Final = 7
PIECE: Final = 32
"""Frames."""
_FIXED: Final = 28
"""Bits that are the same in every header of a stream."""


def walk_aac(audio: bytes) -> Walked:
    """Frames to the end, nothing between or behind them. Raises BadContainer."""
    at = behind_tags(audio, 0)
    fixed = int.from_bytes(audio[at : at + HEADER], "big") >> _FIXED
    rate = _rate(fixed)
    frames, blocks, end = 0, 0, len(audio)
    pieces = Pieces(at)
    while at < end:
        word = int.from_bytes(audio[at : at + HEADER], "big")
        size = word >> 13 & 0x1FFF
        if word >> _FIXED != fixed or size <= HEADER:
            raise BadContainer(f"no frame at byte {at}" if at + HEADER <= end else "cut in a frame")
        blocks += (word & 3) + 1
        frames += 1
        at += size
        if not frames % PIECE:
            pieces.cut(at)
    if at > end:
        raise BadContainer(f"its last frame is cut: {at - end} bytes are missing")
    pieces.cut(at)
    duration_ms = round(blocks * SAMPLES * 1000 / rate)
    return Walked(duration_ms, end_is_marked=False, pieces=tuple(pieces.found))


def _rate(fixed: int) -> int:
    """Samples a second. Raises BadContainer when these are not the bits of a header."""
    rate_at = fixed >> 6 & 15
    if fixed >> 16 != 0xFFF or fixed >> 13 & 3 or rate_at >= len(RATES):
        raise BadContainer("no ADTS frame at its beginning")
    return RATES[rate_at]
