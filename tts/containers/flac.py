"""FLAC (RFC 9639): STREAMINFO, then frames in sequence, each with both of its checksums.

A frame does not say how long it is: the next one begins where a header with the next number
and a right CRC-8 stands, and the CRC-16 of what lies between tells whether that was true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tts.containers.base import BadContainer, Pieces, Walked
from tts.containers.crc import crc8, crc16

STREAMINFO: Final = 34
MAX_BLOCKS: Final = 128
MAX_FALSE: Final = 5_000
"""Places that look like a header and are none; in a real clip there is hardly one."""
PIECE: Final = 24_000
"""Samples."""
_LONGEST_HEADER: Final = 16
_TWO_CHANNELS: Final = (1, 8, 9, 10)
"""Two channels as they are, and the ways to code what differs between them."""
_SIZES: Final = (
    {1: 192} | {n: 576 << n - 2 for n in range(2, 6)} | {n: 1 << n for n in range(8, 16)}
)
_EXTRA_SIZE: Final = {6: 1, 7: 2}
_EXTRA_RATE: Final = {12: 1, 13: 2, 14: 2}


class Info(NamedTuple):
    """Of STREAMINFO."""

    rate: int
    total: int
    """Samples; 0: the writer did not know."""


class Header(NamedTuple):
    """Of a frame."""

    number: int
    """Of the frame, or of its first sample where frames differ in length."""
    samples: int


def walk_flac(audio: bytes) -> Walked:
    """Metadata and frames to the end. Raises BadContainer."""
    info, at = _metadata(audio)
    # STREAMINFO as the only block: a decoder need not see the others.
    pieces = Pieces(at, audio[:4] + b"\x80" + audio[5 : 8 + STREAMINFO])
    samples = _frames(audio, at, pieces)
    if info.total and samples < info.total:
        raise BadContainer(f"cut: {samples} of {info.total} samples")
    duration_ms, known = round(samples * 1000 / info.rate), bool(info.total)
    found = tuple(pieces.found)
    return Walked(duration_ms, end_is_marked=known, pieces=found, rate=info.rate)


def _metadata(audio: bytes) -> tuple[Info, int]:
    """STREAMINFO, and where the frames begin."""
    info, at = _info(audio), 4
    for _ in range(MAX_BLOCKS):
        head = audio[at : at + 4]
        at += 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or at > len(audio):
            raise BadContainer("cut in its metadata")
        if head[0] & 0x80:
            return info, at
    raise BadContainer(f"more than {MAX_BLOCKS} blocks of metadata")


def _info(audio: bytes) -> Info:
    head = audio[4 : 8 + STREAMINFO]
    if audio[:4] != b"fLaC" or len(head) < 38 or head[0] & 0x7F or head[1:4] != b"\0\0\x22":
        raise BadContainer("no STREAMINFO at its beginning")
    word = int.from_bytes(head[14:22], "big")
    rate = word >> 44
    if not rate:
        raise BadContainer("STREAMINFO holds no sample rate")
    return Info(rate, word & (1 << 36) - 1)


def _frames(audio: bytes, at: int, pieces: Pieces) -> int:
    """Samples of all frames."""
    if audio[at : at + 2] not in {b"\xff\xf8", b"\xff\xf9"}:
        raise BadContainer("no frame behind its metadata")
    variable = audio[at + 1] & 1
    begin, samples, frames, false = at, 0, 0, 0
    for place in _places(audio, at):
        header = _header(audio[place : place + _LONGEST_HEADER])
        if header is None or header.number != (samples if variable else frames):
            false += 1 if header is None else _stray(audio, begin, place)
            if false > MAX_FALSE:
                raise BadContainer("its frames are out of sequence")
            continue
        if place > begin:
            _check_frame(audio, begin, place)
        if samples >= PIECE * (len(pieces.found) + 1):
            pieces.cut(place)
        begin = place
        samples, frames = samples + header.samples, frames + 1
    _check_frame(audio, begin, len(audio))
    pieces.cut(len(audio))
    return samples


def _stray(audio: bytes, begin: int, place: int) -> int:
    """A header with another number: where whole frames lie before it, one is missing.

    How many false places it counts for: sound that looks like that by chance is rare.
    """
    if place > begin and not crc16(audio[begin:place]):
        raise BadContainer(f"a frame is missing before byte {place}")
    return MAX_FALSE // 4


def _places(audio: bytes, at: int) -> Iterator[int]:
    """Where a header like the first one may stand: the number of channels and the sample size
    do not change; how two channels are coded does, from frame to frame.
    """
    code = int.from_bytes(audio[at + 3 : at + 4], "big")
    channels, low = code >> 4, code & 15
    codes = _TWO_CHANNELS if channels in _TWO_CHANNELS else (channels,)
    fourth = b"".join(re.escape(bytes([code << 4 | low])) for code in codes)
    like = re.escape(audio[at : at + 2]) + rb".[" + fourth + rb"]"
    for match in re.compile(like, re.DOTALL).finditer(audio, at):
        yield match.start()


def _check_frame(audio: bytes, begin: int, end: int) -> None:
    if crc16(audio[begin:end]):
        raise BadContainer(f"the frame at byte {begin} is cut or fails its checksum")


def _header(head: bytes) -> Header | None:
    """None where these bytes are no header."""
    number_size = _number_size(head[4]) if len(head) > 4 else 0
    if not number_size:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    at = 4 + number_size
    extra = _EXTRA_SIZE.get(size_code, 0)
    end = at + extra + _EXTRA_RATE.get(rate_code, 0) + 1
    samples = int.from_bytes(head[at : at + extra], "big") + 1 if extra else _SIZES.get(size_code)
    if samples is None or rate_code == 15 or end > len(head) or crc8(head[:end]):
        return None
    return Header(_number(head[4:at]), samples)


def _number_size(first: int) -> int:
    """Bytes of a number that is coded as UTF-8 codes characters; 0: none begins so."""
    if first < 0x80:
        return 1
    ones = 8 - (first ^ 0xFF).bit_length()
    return ones if 2 <= ones <= 7 else 0


def _number(coded: bytes) -> int:
    if len(coded) == 1:
        return coded[0]
    number = coded[0] & (0x7F >> len(coded))
    for byte in coded[1:]:
        number = number << 6 | byte & 0x3F
    return number
