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
    if audio[:3] == b"ID3" or _is_frame(audio, layers=(0b01, 0b10, 0b11)):
        return "audio/mpeg"
    if _is_frame(audio, layers=(0b00,)):
        return "audio/aac"
    return _SIGNATURES.get(audio[:4]) or ("audio/mp4" if audio[4:8] == b"ftyp" else UNKNOWN)


_SIGNATURES: Final = {b"OggS": "audio/ogg", b"fLaC": "audio/flac"}


def _is_frame(audio: bytes, layers: tuple[int, ...]) -> bool:
    """An MPEG audio frame starts with 11 set bits; the layer tells mp3 from ADTS aac."""
    if len(audio) < 2 or audio[0] != 0xFF or audio[1] & 0xE0 != 0xE0:
        return False
    return (audio[1] >> 1) & 0b11 in layers


def extension(content_type: str) -> str:
    """File extension for a content type, parameters ignored; `bin` when it is unknown."""
    return EXTENSIONS.get(content_type.partition(";")[0].strip().lower(), "bin")
