"""Decoding a clip with PyAV (the extra `audio`): what no walk of a container shows.

Costs 15 to 150 ms for a MiB by its codec, so it has a budget of time: 50 ms, or so much for
each MiB, decode a minute of sound or more. What lies behind that has been walked only.
"""

from __future__ import annotations

import importlib.util
import io
import time
from array import array
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from tts.containers.base import BadContainer
from tts.containers.samples import SILENCE

FORMATS: Final = {
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
}
"""FFmpeg's name of each container. Named, so that it tries no other: some of those that it
knows are lists of files or addresses to open."""

BUDGET: Final = 0.05
"""Seconds of this thread's processor time for each MiB, and for what is smaller."""
MIB: Final = 2**20

_OPTIONS: Final = {"probesize": "65536", "analyzeduration": "1000000"}
"""Bytes and microseconds that FFmpeg looks at before it begins: by default it reads megabytes."""

_TYPECODES: Final = {"u8": "B", "s16": "h", "s32": "i", "s64": "q", "flt": "f", "dbl": "d"}
_FULL_SCALE: Final = {"B": 2**8, "h": 2**16, "i": 2**32, "q": 2**64, "f": 2.0, "d": 2.0}


class Decoded(NamedTuple):
    """What decoding has shown."""

    duration_ms: int
    silent: bool
    """As far as it was decoded."""
    to_the_end: bool


@cache
def can_decode() -> bool:
    """Is the extra installed?"""
    return importlib.util.find_spec("av") is not None


def decode(
    audio: bytes, content_type: str, clock: Callable[[], float] = time.thread_time
) -> Decoded:
    """Decode as far as the budget goes. Raises BadContainer where the decoder gives up."""
    until = clock() + BUDGET * max(1.0, len(audio) / MIB)
    try:
        return _decoded(_steps(audio, FORMATS[content_type]), lambda: clock() < until)
    except Exception as error:
        raise BadContainer(f"the decoder fails ({type(error).__name__})") from error


def _steps(audio: bytes, container: str) -> Iterator[list[Any]]:
    """The frames of one packet after the other; often none."""
    import av

    with av.open(
        io.BytesIO(audio), "r", format=container, options=dict(_OPTIONS), metadata_errors="ignore"
    ) as file:
        # On other threads the time would not be counted.
        file.streams.audio[0].codec_context.thread_count = 1
        for packet in file.demux(audio=0):
            yield packet.decode()


def _decoded(steps: Iterator[list[Any]], may_go_on: Callable[[], bool]) -> Decoded:
    seconds, silent, to_the_end = 0.0, True, True
    for frames in steps:
        for frame in frames:
            seconds += frame.samples / frame.sample_rate
            silent = silent and _is_silent(frame)
        if not may_go_on():
            to_the_end = False
            break
    return Decoded(round(seconds * 1000), silent, to_the_end)


def _is_silent(frame: Any) -> bool:
    kind = frame.format
    code = _TYPECODES[kind.packed.name]
    count = frame.samples * (1 if kind.is_planar else frame.layout.nb_channels)
    for plane in frame.planes:
        samples = array(code, bytes(plane)[: count * kind.bytes])
        # Not a number is no sound either: hence `not ... >=`.
        if not _is_flat(samples, code):
            return False
    return True


def _is_flat(samples: array[Any], code: str) -> bool:
    if not samples:
        return True
    least = SILENCE * _FULL_SCALE[code] / 2**16
    return not max(samples) - min(samples) >= least
