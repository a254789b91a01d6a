"""Names of audio formats: `mp3`, or with details behind it as in `mp3_44100_128`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from audiocache.content_types import UNKNOWN

CONTENT_TYPES: Final = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "vorbis": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "ulaw": "audio/basic",
    "alaw": "audio/pcma",
}
"""Content type by codec, the part of a format's name before the first underscore."""

_ALIASES: Final = {"ogg": "opus", "raw": "pcm", "wave": "wav"}


def codec_of(audio_format: str) -> str:
    """`mp3` of `mp3_44100_128`."""
    return audio_format.partition("_")[0]


def content_type_of(audio_format: str) -> str:
    """Content type of a format; `application/octet-stream` when it is not known here."""
    return CONTENT_TYPES.get(codec_of(audio_format), UNKNOWN)


def codec_named(extension: str) -> str:
    """What a file with this extension holds."""
    word = extension.lower().removeprefix(".")
    return _ALIASES.get(word, word)


def format_for(extension: str, formats: Iterable[str]) -> str | None:
    """The first of `formats` that a file with this extension holds, or None."""
    codec = codec_named(extension)
    return next((name for name in formats if codec_of(name) == codec), None)
