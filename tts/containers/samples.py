"""Bare samples, without a container: whole, and silent or not."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from tts.containers.base import BadContainer, Bare, Samples, Walked

SILENCE: Final = 64
"""Peak to peak of 16-bit samples, about -60 dB: nothing that is heard is softer."""

FULL_SCALE: Final = {"B": 2**8, "h": 2**16, "i": 2**32, "q": 2**64, "f": 2.0, "d": 2.0}
"""Peak to peak at most, by the type code of `array`."""

PART: Final = 3 * 2**14
"""Bytes or samples that are looked through at once, in a millisecond: no other thread runs then."""

ULAW: Final = "ulaw"
ALAW: Final = "alaw"
LINEAR: Final = "linear"
"""Whole numbers or floats, by no law."""


def walk_pcm(audio: bytes, rate: int | None) -> Walked:
    """16-bit little-endian mono samples. Raises BadContainer."""
    if len(audio) % 2:
        raise BadContainer("cut in the middle of a 16-bit sample")
    return _unmarked(audio, 2, rate, linear)


def walk_ulaw(audio: bytes, rate: int | None) -> Walked:
    """Samples of one byte in µ-law."""
    return _unmarked(audio, 1, rate, of_ulaw)


def walk_alaw(audio: bytes, rate: int | None) -> Walked:
    """Samples of one byte in A-law."""
    return _unmarked(audio, 1, rate, of_alaw)


def linear(data: bytes, code: str = "h") -> Samples:
    """Little-endian samples, of a type code of `array`."""
    size = array(code).itemsize
    samples = array(code, data[: len(data) // size * size])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def linear_24(data: bytes) -> Samples:
    """Samples of 24 bits: the upper 16."""
    count = len(data) // 3
    upper = bytearray(2 * count)
    upper[::2], upper[1::2] = data[1 : 3 * count : 3], data[2 : 3 * count : 3]
    return linear(bytes(upper))


def of_ulaw(data: bytes) -> Samples:
    """Samples of one byte in µ-law, as 16 bits (ITU-T G.711)."""
    return array("h", map(_law_table(ULAW).__getitem__, data))


def of_alaw(data: bytes) -> Samples:
    """The same in A-law."""
    return array("h", map(_law_table(ALAW).__getitem__, data))


def is_silent(data: bytes, read: Callable[[bytes], Samples]) -> bool:
    """Do these samples never leave a line?"""
    parts = (data[begin : begin + PART] for begin in range(0, len(data), PART))
    if read in {of_ulaw, of_alaw}:
        parts = (bytes(set(part)) for part in parts)
    return _are_flat(map(read, parts))


def is_flat(samples: Samples) -> bool:
    """Do they stay within what nobody hears?"""
    return _are_flat(samples[begin : begin + PART] for begin in range(0, len(samples), PART))


def _are_flat(parts: Iterable[Samples]) -> bool:
    """Of speech the first part says it. Not a number is no sound: it is neither least nor most."""
    least, most = math.inf, -math.inf
    for samples in parts:
        if samples:
            lowest, highest = min(samples), max(samples)
            least, most = min(least, lowest), max(most, highest)
        if most - least >= SILENCE * FULL_SCALE[samples.typecode] / 2**16:
            return False
    return True


@cache
def _law_table(law: str) -> array[int]:
    """The 16-bit value of each byte."""
    return array("h", map(_value_of_ulaw if law == ULAW else _value_of_alaw, range(256)))


def _value_of_ulaw(code: int) -> int:
    code ^= 0xFF
    size = ((code & 15) << 3 | 0x84) << (code >> 4 & 7)
    return 0x84 - size if code & 0x80 else size - 0x84


def _value_of_alaw(code: int) -> int:
    code ^= 0x55
    shift, size = code >> 4 & 7, (code & 15) << 4 | 8
    size = (size + 0x100) << shift - 1 if shift else size
    return size if code & 0x80 else -size


def _unmarked(
    audio: bytes, block: int, rate: int | None, read: Callable[[bytes], Samples]
) -> Walked:
    """After any sample there may be another one."""
    silent = is_silent(audio, read)
    if not rate:
        return Walked(silent=silent, end_is_marked=False)
    duration_ms = round(len(audio) // block * 1000 / rate)
    bare = Bare(audio, block, rate, read)
    return Walked(duration_ms, silent=silent, end_is_marked=False, bare=bare)
