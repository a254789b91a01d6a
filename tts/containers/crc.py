"""The checksums of Ogg and FLAC, at the speed that Python has without an extension."""

from __future__ import annotations

import sys
from array import array
from functools import cache
from typing import Final
from zlib import crc32

REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order, for `bytes.translate`."""
_ALL: Final = 0xFFFFFFFF


def ogg_crc(mirrored: bytes, begin: int, end: int) -> int:
    """CRC-32 of a page whose checksum field counts as zeros, with its bits in reverse order.

    zlib's CRC-32 is Ogg's with the bits of every byte and of the sum reversed: `mirrored` is
    the file translated by REVERSED, and the field read from it is compared with this.
    """
    crc = crc32(mirrored[begin : begin + 22], _ALL)
    crc = crc32(bytes(4), crc)
    return crc32(mirrored[begin + 26 : end], crc) ^ _ALL


def crc8(data: bytes) -> int:
    """FLAC's checksum of a frame's header; 0 over a header with its checksum."""
    table, crc = _crc8_table(), 0
    for byte in data:
        crc = table[crc ^ byte]
    return crc


def crc16(data: bytes) -> int:
    """FLAC's checksum of a frame; 0 over a frame with its checksum. 20 ms a MiB."""
    table, crc = _crc16_table(), 0
    words = array("H", data[: len(data) & ~1])
    if sys.byteorder == "little":
        words.byteswap()
    for word in words:
        crc = table[crc ^ word]
    if len(data) % 2:
        crc = (crc << 8 & 0xFFFF) ^ _crc16_step(crc >> 8 ^ data[-1])
    return crc


@cache
def _crc8_table() -> bytes:
    return bytes(_shifted(byte, 8, 0x07, 8) for byte in range(256))


def _crc16_step(byte: int) -> int:
    return _shifted(byte << 8, 8, 0x8005, 16)


@cache
def _crc16_table() -> array[int]:
    """For two bytes at a time: half the steps of the usual table."""
    step = [_crc16_step(byte) for byte in range(256)]
    return array(
        "H",
        (
            (first << 8 & 0xFFFF) ^ step[first >> 8 ^ second]
            for first in step
            for second in range(256)
        ),
    )


def _shifted(register: int, bits: int, polynomial: int, width: int) -> int:
    top, mask = 1 << (width - 1), (1 << width) - 1
    for _ in range(bits):
        register = (register << 1 ^ (polynomial if register & top else 0)) & mask
    return register
