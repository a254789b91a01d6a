"""Which kind of audio some bytes are, told from the bytes."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "application/octet-stream"

EXTENSIONS: Final = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/pcm": "pcm",
}
"""File extension by content type."""


def sniff(audio: bytes) -> str:
    """Content type by the first bytes; `application/octet-stream` when they tell nothing."""
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        return "audio/wav"
    frame = audio[(at := id3_size(audio)) : at + 2]
    if _is_frame(frame, layers=(0b00,)):
        return "audio/aac"
    if audio[:3] == b"ID3" or _is_frame(frame, layers=(0b01, 0b10, 0b11)):
        return "audio/mpeg"
    return _SIGNATURES.get(audio[:4]) or ("audio/mp4" if audio[4:8] == b"ftyp" else UNKNOWN)


_SIGNATURES: Final = {b"OggS": "audio/ogg", b"fLaC": "audio/flac"}


def id3_size(audio: bytes, at: int = 0) -> int:
    """Bytes of the ID3 tag that begins here; 0: none does. mp3 and aac have them."""
    head = audio[at : at + 10]
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _is_frame(audio: bytes, layers: tuple[int, ...]) -> bool:
    """An MPEG audio frame starts with 11 set bits; the layer tells mp3 from ADTS aac."""
    if len(audio) < 2 or audio[0] != 0xFF or audio[1] & 0xE0 != 0xE0:
        return False
    return (audio[1] >> 1) & 0b11 in layers


def extension(content_type: str) -> str:
    """File extension for a content type, parameters ignored; `bin` when it is unknown."""
    return EXTENSIONS.get(content_type.partition(";")[0].strip().lower(), "bin")
