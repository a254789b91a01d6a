"""Bare samples, without a container: whole, and silent or not."""

from __future__ import annotations

import sys
from array import array
from typing import Final

from tts.containers.base import BadContainer, Walked

SILENCE: Final = 64
"""Peak to peak of 16-bit samples, about -60 dB: nothing that is heard is softer."""


def walk_pcm(audio: bytes, rate: int | None) -> Walked:
    """16-bit little-endian mono samples. Raises BadContainer."""
    if len(audio) % 2:
        raise BadContainer("cut in the middle of a 16-bit sample")
    return Walked(_ms(len(audio) // 2, rate), silent=is_silent(audio))


def walk_bytes(audio: bytes, rate: int | None) -> Walked:
    """Samples of one byte, as A-law and µ-law have them."""
    return Walked(_ms(len(audio), rate), silent=len(set(audio)) < 2)


def is_silent(pcm: bytes) -> bool:
    """Do these 16-bit little-endian samples never leave a line?"""
    samples = array("h", pcm[: len(pcm) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return not samples or max(samples) - min(samples) < SILENCE


def _ms(samples: int, rate: int | None) -> int | None:
    return round(samples * 1000 / rate) if rate else None
