"""Bare samples, without a container: whole, and silent or not."""

from __future__ import annotations

import sys
from array import array
from functools import cache
from typing import Final

from tts.containers.base import BadContainer, Walked

SILENCE: Final = 64
"""Peak to peak of 16-bit samples, about -60 dB: nothing that is heard is softer."""

FULL_SCALE: Final = {"B": 2**8, "h": 2**16, "i": 2**32, "q": 2**64, "f": 2.0, "d": 2.0}
"""Peak to peak at most, by the type code of `array`."""

ULAW: Final = "ulaw"
ALAW: Final = "alaw"
LINEAR: Final = "linear"
"""Whole numbers or floats, by no law."""


def walk_pcm(audio: bytes, rate: int | None) -> Walked:
    """16-bit little-endian mono samples. Raises BadContainer."""
    if len(audio) % 2:
        raise BadContainer("cut in the middle of a 16-bit sample")
    return _unmarked(len(audio) // 2, rate, silent=is_silent(audio))


def walk_ulaw(audio: bytes, rate: int | None) -> Walked:
    """Samples of one byte in µ-law."""
    return _unmarked(len(audio), rate, silent=is_silent_law(audio, ULAW))


def walk_alaw(audio: bytes, rate: int | None) -> Walked:
    """Samples of one byte in A-law."""
    return _unmarked(len(audio), rate, silent=is_silent_law(audio, ALAW))


def is_silent(data: bytes, code: str = "h") -> bool:
    """Do these little-endian samples, of a type code of `array`, never leave a line?"""
    size = array(code).itemsize
    samples = array(code, data[: len(data) // size * size])
    if sys.byteorder == "big":
        samples.byteswap()
    return is_flat(samples)


def is_silent_24(data: bytes) -> bool:
    """The same of samples of 24 bits, judged by the upper 16."""
    count = len(data) // 3
    upper = bytearray(2 * count)
    upper[::2], upper[1::2] = data[1 : 3 * count : 3], data[2 : 3 * count : 3]
    return is_silent(bytes(upper))


def is_silent_law(data: bytes, law: str) -> bool:
    """The same of samples of one byte in µ-law or A-law."""
    values = _expanded(law)
    return is_flat(array("h", (values[code] for code in set(data))))


def is_flat(samples: array[int] | array[float]) -> bool:
    """Do they stay within what nobody hears?"""
    if not samples:
        return True
    least = SILENCE * FULL_SCALE[samples.typecode] / 2**16
    # Not a number is no sound either: hence `not ... >=`.
    return not max(samples) - min(samples) >= least


@cache
def _expanded(law: str) -> array[int]:
    """The 16-bit value of each byte (ITU-T G.711)."""
    return array("h", map(_of_ulaw if law == ULAW else _of_alaw, range(256)))


def _of_ulaw(code: int) -> int:
    code ^= 0xFF
    size = ((code & 15) << 3 | 0x84) << (code >> 4 & 7)
    return 0x84 - size if code & 0x80 else size - 0x84


def _of_alaw(code: int) -> int:
    code ^= 0x55
    shift, size = code >> 4 & 7, (code & 15) << 4 | 8
    size = (size + 0x100) << shift - 1 if shift else size
    return size if code & 0x80 else -size


def _unmarked(samples: int, rate: int | None, *, silent: bool) -> Walked:
    """After any sample there may be another one."""
    duration_ms = round(samples * 1000 / rate) if rate else None
    return Walked(duration_ms, silent=silent, end_is_marked=False)
