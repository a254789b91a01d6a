"""Short sounds for tests, in every common format, in pure Python and without a file.

Each is whole, audible, as long as it is asked to be, and the same bytes every time. MP3, AAC
and Opus repeat one encoded frame of a tone, for their encoders are no part of Python.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from typing import Final
from zlib import crc32

RATE: Final = 8000
"""Samples a second of every sound whose rate is not asked for."""

_MP3_FRAME: Final = base64.b64decode(
    "/+MYxAAMgKY8AAb8RP//9ZQoDg0WMOGTMik1syOyYTG5FUPsikQ4SRADF0A5FhLjA+AQMAABogAVEYAwoAHXTEFNRTMu"
    "MTAw"
)
_MP3_SAMPLES: Final = 576
_OPUS_PACKET: Final = base64.b64decode("GOrQnfOOFymQVfN+T3NOSR7r+pDZtkJGSb6uAD6tgXZl2SiAjWg=")
_OPUS_SAMPLES: Final = 2880
_OPUS_RATE: Final = 48_000
_OPUS_HEAD: Final = b"OpusHead\x01\x01" + struct.pack("<HIHB", 312, _OPUS_RATE, 0, 0)
_AAC_FRAME: Final = base64.b64decode("AWSQ2DhSHEkOJIcWX8rDjB/kehP8j0J/kehP8j0J/kehP8j0IP+m2hw=")
_AAC_SAMPLES: Final = 1024
_FLAC_SAMPLES: Final = 192


def sound(codec: str, seconds: float, seed: str, rate: int = RATE) -> bytes | None:
    """A sound of at least `seconds`; another seed sounds different where the format allows it.

    None when the codec is not one of `CODECS`. `rate` is that of wav and pcm.
    """
    make = _MAKERS.get(codec)
    return None if make is None else make(seconds, crc32(seed.encode()), rate)


def _pcm(seconds: float, seed: int, rate: int) -> bytes:
    """A square wave of 16-bit samples: pitch and loudness are the seed's."""
    half = max(2, rate // (300 + seed % 500))
    # From 4096 on no sample is a pair of letters, so that nobody takes it for a message.
    loudness = 4096 + seed // 500 % 2048
    period = struct.pack("<h", loudness) * half + struct.pack("<h", -loudness) * half
    return period * (int(seconds * rate) // (2 * half) + 1)


def _wav(seconds: float, seed: int, rate: int) -> bytes:
    pcm = _pcm(seconds, seed, rate)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + fmt + struct.pack("<4sI", b"data", len(pcm)) + pcm
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _law(seconds: float, seed: int, _: int) -> bytes:
    """A-law or mu-law without a header: two codes far apart are loud in both."""
    high, low = bytes([0x10 + seed % 16]), bytes([0x90 + seed // 16 % 16])
    period = high * (4 + seed // 256 % 16) + low * (4 + seed // 4096 % 16)
    return period * (int(seconds * RATE) // len(period) + 1)


def _mp3(seconds: float, seed: int, _: int) -> bytes:
    private = b"test\0" + seed.to_bytes(4, "big")
    tag = struct.pack(">4sIH", b"PRIV", len(private), 0) + private
    head = b"ID3\x03\0\0" + bytes([0, 0, 0, len(tag)])
    return head + tag + _MP3_FRAME * _frames(seconds, RATE, _MP3_SAMPLES)


def _aac(seconds: float, _: int, __: int) -> bytes:
    """Each frame under its ADTS header: MPEG-4, low complexity, 8 kHz, mono."""
    size = len(_AAC_FRAME) + 7
    head = 0xFFF1 << 40 | 1 << 38 | 11 << 34 | 1 << 30 | size << 13 | 0x7FF << 2
    return (head.to_bytes(7, "big") + _AAC_FRAME) * _frames(seconds, RATE, _AAC_SAMPLES)


def _opus(seconds: float, seed: int, _: int) -> bytes:
    """An Ogg stream: the two heads, then packets, as many as fit on a page."""
    vendor = f"test {seed}".encode()
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + bytes(4)
    packets = _frames(seconds, _OPUS_RATE, _OPUS_SAMPLES)
    pages = [_ogg_page(0, 0, [_OPUS_HEAD], first=True), _ogg_page(1, 0, [tags])]
    for done in range(0, packets, 250):
        many = min(250, packets - done)
        granule = (done + many) * _OPUS_SAMPLES
        last = done + many == packets
        pages.append(_ogg_page(len(pages), granule, [_OPUS_PACKET] * many, last=last))
    return b"".join(pages)


def _ogg_page(
    number: int, granule: int, packets: list[bytes], *, first: bool = False, last: bool = False
) -> bytes:
    lacing = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in packets)
    flags = 2 * first + 4 * last
    head = struct.pack("<4sBBQII", b"OggS", 0, flags, granule, 1, number)
    body = bytes([len(lacing)]) + lacing + b"".join(packets)
    checksum = _crc(head + bytes(4) + body, bits=32, polynomial=0x04C11DB7)
    return head + checksum.to_bytes(4, "little") + body


def _flac(seconds: float, seed: int, _: int) -> bytes:
    """A sawtooth of 8-bit samples, one tooth to a frame: its place is the seed's."""
    frames = _frames(seconds, RATE, _FLAC_SAMPLES)
    packed = RATE << 44 | (8 - 1) << 36 | frames * _FLAC_SAMPLES
    info = struct.pack(">HH6xQ16x", _FLAC_SAMPLES, _FLAC_SAMPLES, packed)
    lowest = seed % (257 - _FLAC_SAMPLES) - 128
    body = b"".join(_flac_frame(number, lowest) for number in range(frames))
    private = b"test" + seed.to_bytes(4, "big")
    return b"fLaC" + _flac_block(0x00, info) + _flac_block(0x82, private) + body


def _flac_block(kind: int, data: bytes) -> bytes:
    """A block of metadata; 0x80 in its kind marks the last one."""
    return bytes([kind]) + len(data).to_bytes(3, "big") + data


def _flac_frame(number: int, lowest: int) -> bytes:
    """Two samples, each further one as far above the last: residuals of 0 bits."""
    head = b"\xff\xf8\x14\x02" + _long_utf8(number)
    head += _crc(head, bits=8, polynomial=0x07).to_bytes(1, "big")
    frame = head + b"\x14" + struct.pack("bb", lowest, lowest + 1) + b"\x03\xc0"
    return frame + _crc(frame, bits=16, polynomial=0x8005).to_bytes(2, "big")


def _long_utf8(number: int) -> bytes:
    """FLAC counts its frames as UTF-8 codes characters, surrogates included."""
    return chr(number).encode("utf-8", "surrogatepass")


def _frames(seconds: float, rate: int, samples: int) -> int:
    return int(seconds * rate) // samples + 1


def _crc(data: bytes, *, bits: int, polynomial: int) -> int:
    """As Ogg and FLAC have it: the highest bit first, from 0."""
    table = _crc_table(bits, polynomial)
    checksum, top, mask = 0, bits - 8, (1 << bits) - 1
    for byte in data:
        checksum = (checksum << 8 & mask) ^ table[checksum >> top ^ byte]
    return checksum


_tables: dict[int, list[int]] = {}


def _crc_table(bits: int, polynomial: int) -> list[int]:
    if bits not in _tables:
        _tables[bits] = list(_remainders(bits, polynomial))
    return _tables[bits]


def _remainders(bits: int, polynomial: int) -> Iterator[int]:
    high, mask = 1 << (bits - 1), (1 << bits) - 1
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & high else value << 1) & mask
        yield value


_MAKERS: Final[dict[str, Callable[[float, int, int], bytes]]] = {
    "wav": _wav,
    "pcm": _pcm,
    "mp3": _mp3,
    "opus": _opus,
    "aac": _aac,
    "flac": _flac,
    "ulaw": _law,
    "alaw": _law,
}
CODECS: Final = tuple(_MAKERS)
"""What `sound` can make."""
