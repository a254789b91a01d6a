"""WAV files: 16-bit mono PCM with a header of 44 bytes, and what is in any RIFF file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

PCM: Final = 1
EXTENSIBLE: Final = 0xFFFE
UNSAID: Final = 0x7FFFF000
"""Sizes from here on, and 0, are left by a streaming writer who could not know the length:
up to the end. Some take the length of the headers off the largest number there is.
"""
ENDLESS: Final = 0xFFFFFFFF
MAX_CHUNKS: Final = 64

_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FMT: Final = struct.Struct("<HHIIHH")


class BadWav(ValueError):
    """Not a whole WAV file; the message says where it breaks."""


class Wav(NamedTuple):
    """What a WAV file holds."""

    coding: int
    channels: int
    sample_rate: int
    bits: int
    block: int
    """Bytes of one sample of all channels."""
    data: bytes
    is_said: bool
    """False: how many samples there are is not said, so nothing shows that some are missing."""

    @property
    def duration_ms(self) -> int:
        """Length of the sound, told by its samples: bytes a second are only said."""
        return round(len(self.data) * 1000 / (self.block * self.sample_rate))


class Beginning(NamedTuple):
    """What the header of a WAV file says."""

    coding: int
    channels: int
    sample_rate: int
    bits: int
    begin: int
    """Where the samples begin."""
    size: int
    """Bytes of them; where that is not said, more than can come."""


def wav_of(pcm: bytes, sample_rate: int) -> bytes:
    """A WAV file around 16-bit little-endian mono samples."""
    return _header(sample_rate, 36 + len(pcm), len(pcm)) + pcm


def endless_header(sample_rate: int) -> bytes:
    """Of a WAV file whose samples are still to come."""
    return _header(sample_rate, ENDLESS, ENDLESS)


def _header(sample_rate: int, riff: int, size: int) -> bytes:
    return _HEADER.pack(
        b"RIFF", riff, b"WAVE", b"fmt ", 16, PCM, 1, sample_rate, 2 * sample_rate, 2, 16,
        b"data", size,
    )  # fmt: skip


def beginning_of(audio: bytes) -> Beginning | None:
    """The header of a file that is still coming; None: not all of that is there. Raises BadWav."""
    if len(audio) < 12:
        return None
    if audio[:4] != b"RIFF" or audio[8:12] != b"WAVE":
        raise BadWav("no RIFF header")
    fmt = b""
    at = 12
    while at + 8 <= len(audio):
        name, size = audio[at : at + 4], int.from_bytes(audio[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            found = _wav(fmt, b"", is_said=False)
            said = ENDLESS if size >= UNSAID or not size else size
            return Beginning(*found[:4], at, said)
        fmt = audio[at : at + size] if name == b"fmt " else fmt
        at += size + size % 2
    return None


def read_wav(audio: bytes) -> Wav:
    """What is in a WAV file, every length checked. Raises BadWav."""
    if len(audio) < 12 or audio[:4] != b"RIFF" or audio[8:12] != b"WAVE":
        raise BadWav("no RIFF header")
    end = _end(audio)
    fmt = data = None
    is_said = True
    for name, chunk, size in _chunks(audio, end):
        if name == b"fmt ":
            fmt = chunk
        elif name == b"data":
            data, is_said = chunk, size == len(chunk) > 0
    if fmt is None or data is None:
        raise BadWav("no sound chunk" if fmt else "no format chunk")
    return _wav(fmt, data, is_said)


def _end(audio: bytes) -> int:
    """Where the RIFF chunk ends; it must end with the file."""
    said = int.from_bytes(audio[4:8], "little")
    if _is_unsaid(said, len(audio)) or audio[said : said + 8] == b"data\0\0\0\0":
        return len(audio)
    if said + 8 > len(audio):
        raise BadWav(f"cut: {len(audio)} of {said + 8} bytes")
    if said + 9 < len(audio):
        raise BadWav(f"{len(audio) - said - 8} bytes behind its end")
    return said + 8


def _is_unsaid(size: int, left: int) -> bool:
    return not size or (size >= UNSAID and size > left)


def _chunks(audio: bytes, end: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Names, what is in them, and the bytes that they are said to have."""
    at = 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > end:
            return
        name = audio[at : at + 4]
        said = size = int.from_bytes(audio[at + 4 : at + 8], "little")
        at += 8
        if name == b"data" and _is_unsaid(size, end - at):
            size = end - at
        if at + size > end:
            raise BadWav(f"a chunk is cut: {end - at} of {size} bytes")
        yield name, audio[at : at + size], said
        at += size + size % 2
    raise BadWav(f"more than {MAX_CHUNKS} chunks")


def _wav(fmt: bytes, data: bytes, is_said: bool) -> Wav:
    if len(fmt) < _FMT.size:
        raise BadWav("its format chunk is too short")
    coding, channels, sample_rate, byte_rate, block, bits = _FMT.unpack_from(fmt)
    if coding == EXTENSIBLE and len(fmt) >= 26:
        coding = int.from_bytes(fmt[24:26], "little")
    if not (channels and sample_rate and byte_rate and block):
        raise BadWav("its format chunk holds zeros")
    if len(data) % block:
        raise BadWav("its last sample is cut")
    return Wav(coding, channels, sample_rate, bits, block, data, is_said)
