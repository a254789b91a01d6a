"""Another format of a sound, made with PyAV (the extra `audio`) instead of paid for."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tts.decoding import can_decode, open_sound
from tts.encoding import encoder_for

MADE: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
"""What can be made of any sound."""
RATES: Final = (8000, 16_000, 22_050, 24_000, 44_100, 48_000)
NAMES: Final = (*MADE, *(f"{bare}_{rate}" for bare in ("wav", "pcm") for rate in RATES))
"""The formats that can be asked for although the provider does not speak them."""

RATE: Final = 24_000
"""Hz of what names no rate: that of speech models, which opus takes too."""
LOSSLESS: Final = frozenset({"wav", "pcm", "flac"})

_READERS: Final = {
    "mp3": "mp3", "opus": "ogg", "vorbis": "ogg", "aac": "aac", "flac": "flac", "wav": "wav",
    "pcm": "s16le", "ulaw": "mulaw", "alaw": "alaw",
}  # fmt: skip
"""FFmpeg's demuxer by codec. Named, so that it tries no other: some open files and addresses."""
_BARE: Final = frozenset({"pcm", "ulaw", "alaw"})
"""Samples without a header, which say no rate."""

_OPUS_RATES: Final = (8000, 12_000, 16_000, 24_000, 48_000)
_OPUS_HEARS: Final = 40_000
_NAME: Final = re.compile(r"([a-z0-9]+)(?:_(\d{4,6})(?:_(\d{1,3}))?)?")


class CannotTranscode(ValueError):
    """What is to be transcoded is no sound, or not of the format that it is said to be."""


class Shape(NamedTuple):
    """What the name of a format says."""

    codec: str
    rate: int | None
    """Hz."""
    kbps: int | None

    @property
    def lossless(self) -> bool:
        """Is every sample as it was made?"""
        return self.codec in LOSSLESS


def shape_of(audio_format: str, sample_rate: int | None = None) -> Shape:
    """Of `mp3_44100_128`, or of a bare `pcm` and the rate that a request names.

    What else a name says, such as `wav_ulaw`, is a codec that is not known here.
    """
    name = _NAME.fullmatch(audio_format)
    if name is None:
        return Shape(audio_format, None, None)
    codec, rate, kbps = name.groups()
    return Shape(codec, int(rate) if rate else sample_rate, int(kbps) if kbps else None)


def is_made_here(name: object) -> bool:
    """Can it be asked for of any provider?"""
    return name in NAMES and can_decode()


def is_good_for(source: Shape, wanted: Shape) -> bool:
    """Does the source hold as much as is wanted, as far as their names say?"""
    if source.codec not in _READERS or (source.codec in _BARE and source.rate is None):
        return False
    if source.rate and wanted.rate and source.rate < _needed(wanted.codec, wanted.rate):
        return False
    return source.lossless or not (source.kbps and wanted.kbps and source.kbps < wanted.kbps)


def _needed(codec: str, rate: int) -> int:
    """Opus hears up to 20 kHz, whatever rate it names."""
    return min(rate, _OPUS_HEARS) if codec == "opus" else rate


def transcoded(audio: bytes, source: Shape, wanted: Shape) -> bytes:
    """The same sound, mono, in another format. Raises CannotTranscode."""
    from av import FFmpegError

    try:
        with _opened(audio, source) as file:
            return _written(file, source, wanted)
    except (FFmpegError, IndexError, ValueError) as error:
        # It has no sound at all, or a rate that changes on the way.
        raise CannotTranscode(f"not to be read as {source.codec}") from error


def _written(file: Any, source: Shape, wanted: Shape) -> bytes:
    target = io.BytesIO()
    rate = rate_for(wanted, source.rate or file.streams.audio[0].rate or RATE)
    encoder = encoder_for(target, wanted, rate)
    for frame in _frames(file, rate):
        encoder.take(frame)
    encoder.end()
    return encoder.with_length(target.getvalue())


def rate_for(wanted: Shape, found: int) -> int:
    """Hz of what is made; Opus knows five rates."""
    rate = wanted.rate or found
    return rate if wanted.codec != "opus" or rate in _OPUS_RATES else max(_OPUS_RATES)


def _opened(audio: bytes, source: Shape) -> Any:
    options = {"sample_rate": str(source.rate), "ch_layout": "mono"}
    return open_sound(audio, _READERS[source.codec], options if source.codec in _BARE else {})


def _frames(file: Any, rate: int) -> Iterator[Any]:
    """16-bit mono, at the rate."""
    from av import AudioResampler

    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    heard = False
    for frame in file.decode(audio=0):
        heard = True
        yield from resampler.resample(frame)
    if not heard:
        raise CannotTranscode("there is no sound in it")
    yield from resampler.resample(None)
