"""Decoding a clip with PyAV (the extra `audio`): what no walk of a container shows.

FFmpeg is given the pieces of sound that a walk has found and nothing else: neither tags nor
comments nor covers. Decoding costs 15 to 400 ms for a MiB by its codec, so it has a budget of
time: 40 ms for each MiB, and for what is smaller, decode 20 seconds of sound or more. What lies
behind that has been walked only. Whether a clip is silent does not hang on how far the budget
went: then pieces from all over the clip are decoded, and those that hold the most.
"""

from __future__ import annotations

import importlib.util
import io
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from heapq import nlargest
from itertools import islice
from typing import Any, Final, NamedTuple

from tts.containers.base import BadContainer, Piece, Samples, sound_of
from tts.containers.samples import is_flat

FORMATS: Final = {
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aac": "aac",
}
"""FFmpeg's name of each container. Named, so that it tries no other: some of those that it
knows are lists of files or addresses to open."""

BUDGET: Final = 0.04
"""Seconds of this thread's processor time for each MiB, and for what is smaller."""
SAMPLING: Final = 0.03
"""The same for the pieces that are looked at behind it; it takes a hostile clip to need it."""
MIB: Final = 2**20
SAMPLES: Final = 8
"""Pieces from all over the clip."""
FULLEST: Final = 4
"""Pieces that can be packed least: coded silence is short, or the same bytes again and again."""
STRIDE: Final = 11
"""Of so many samples one is looked at; what is heard shows in those. No number of channels (eight
at most) goes into it, so that each of interleaved ones is seen."""

_OPTIONS: Final = {"probesize": "65536", "analyzeduration": "1000000"}
"""Bytes and microseconds that FFmpeg looks at before it begins: by default it reads megabytes."""

_TYPECODES: Final = {"u8": "B", "s16": "h", "s32": "i", "s64": "q", "flt": "f", "dbl": "d"}

HEARING: Final = 0.02
"""The same for what is heard of a clip, once it is decoded."""
PARTS: Final = 4
"""Of a second, beside its end."""

Clock = Callable[[], float]


class Decoded(NamedTuple):
    """What decoding has shown."""

    duration_ms: int
    given_ms: int
    """How long the packets are that the decoder was given, as far as they say."""
    silent: bool
    to_the_end: bool


class Part(NamedTuple):
    """What is heard in a part of a clip: its first channel, or all where they are interleaved."""

    samples: Samples
    rate: int
    """Of them in a second."""


@cache
def can_decode() -> bool:
    """Is the extra installed?"""
    return importlib.util.find_spec("av") is not None


def load() -> None:
    """Import the decoder: once in a process that takes longer than a clip.

    Here and elsewhere all of it (`from av import`, not `from av.error import`): threads that begin
    with different modules of it at once hinder one another, and all of them fail.
    """
    import av  # noqa: F401


def decode(
    audio: bytes, pieces: Sequence[Piece], content_type: str, clock: Clock = time.thread_time
) -> Decoded:
    """Decode as far as the budget goes. Raises BadContainer where the decoder gives up."""
    import av  # noqa: F401 - takes longer than a clip: before the clock is read

    size, container = max(1.0, len(audio) / MIB), FORMATS[content_type]
    try:
        steps = _steps(sound_of(audio, pieces), container)
        decoded = _decoded(steps, _until(clock, BUDGET * size))
        if decoded.silent and not decoded.to_the_end:
            may_go_on = _until(clock, SAMPLING * size)
            silent = _are_silent(_sampled(audio, pieces), container, may_go_on)
            return decoded._replace(silent=silent)
        return decoded
    except Exception as error:
        raise BadContainer(f"the decoder fails ({type(error).__name__})") from error


def open_sound(sound: bytes, container: str, options: dict[str, str]) -> Any:
    """The sound for FFmpeg, by the demuxer that is named."""
    import av

    # Titles in another encoding are no matter of ours; from 19 on they are no matter of PyAV's.
    given: dict[str, Any] = {"format": container, "options": options}
    if int(av.__version__.partition(".")[0]) < 19:
        given["metadata_errors"] = "ignore"
    return av.open(io.BytesIO(sound), "r", **given)


def _until(clock: Clock, seconds: float) -> Callable[[], bool]:
    """Is there time left?"""
    end = clock() + seconds
    return lambda: clock() < end


def _steps(sound: bytes, container: str) -> Iterator[tuple[float, list[Any]]]:
    """Packet for packet, its seconds and its frames; often none."""
    with open_sound(sound, container, dict(_OPTIONS)) as file:
        # On other threads the time would not be counted.
        file.streams.audio[0].codec_context.thread_count = 1
        for packet in file.demux(audio=0):
            yield float((packet.duration or 0) * (packet.time_base or 0)), packet.decode()


def _decoded(steps: Iterable[tuple[float, list[Any]]], may_go_on: Callable[[], bool]) -> Decoded:
    given, seconds, silent, to_the_end = 0.0, 0.0, True, True
    for packet_seconds, frames in steps:
        given += packet_seconds
        seconds += sum(frame.samples / frame.sample_rate for frame in frames)
        silent = silent and all(map(_is_silent, frames))
        if not may_go_on():
            to_the_end = False
            break
    return Decoded(round(seconds * 1000), round(given * 1000), silent, to_the_end)


def _sampled(audio: bytes, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """The fullest pieces, and some from all over the clip, the end included."""

    def packed(piece: Piece) -> int:
        return len(zlib.compress(audio[piece.begin : piece.end], 1))

    apart = islice(reversed(pieces), 0, None, max(1, len(pieces) // SAMPLES))
    for piece in (*nlargest(FULLEST, pieces, packed), *apart):
        yield sound_of(audio, [piece])


def heard(
    audio: bytes, pieces: Sequence[Piece], content_type: str, clock: Clock = time.thread_time
) -> list[Part]:
    """Parts of a clip, its last one or two seconds at the end.

    Nothing of a part that cannot be decoded by itself, or not in time.
    """
    may_go_on = _until(clock, HEARING * max(1.0, len(audio) / MIB))
    others = pieces[: -2 : max(1, len(pieces) // PARTS)]
    sounds = (sound_of(audio, part) for part in (pieces[-2:], *([piece] for piece in others)))
    end, *parts = [_heard(sound, FORMATS[content_type], may_go_on) for sound in sounds]
    return [*parts, end]


def _heard(sound: bytes, container: str, may_go_on: Callable[[], bool]) -> Part:
    samples, rate = None, 0
    with suppress(Exception):  # as many kinds as PyAV has: a part need not be whole
        for _, frames in _steps(sound, container):
            for frame in frames:
                [first, *_], code = _planes(frame)
                samples = samples or array(code)
                samples.frombytes(first)
                rate = frame.sample_rate * len(first) // samples.itemsize // frame.samples
            if not may_go_on():
                break
        else:
            return Part(samples or array("h"), rate)
    return Part(array("h"), 0)


def _are_silent(sounds: Iterable[bytes], container: str, may_go_on: Callable[[], bool]) -> bool:
    """As far as there is time; a piece that cannot be decoded by itself shows no sound."""
    from av import FFmpegError

    for sound in sounds:
        with suppress(FFmpegError):
            if not _decoded(_steps(sound, container), may_go_on).silent:
                return False
        if not may_go_on():
            break
    return True


def _is_silent(frame: Any) -> bool:
    planes, code = _planes(frame)
    return all(_is_flat(plane, code) for plane in planes)


def _planes(frame: Any) -> tuple[list[bytes], str]:
    """The samples of each channel, or of all in one, and their type code."""
    kind = frame.format
    count = frame.samples * (1 if kind.is_planar else frame.layout.nb_channels)
    planes = [bytes(plane)[: count * kind.bytes] for plane in frame.planes]
    return planes, _TYPECODES[kind.packed.name]


def _is_flat(plane: bytes, code: str) -> bool:
    # Most silence is nothing but zeros, which are told twenty times as fast.
    return not plane.strip(b"\0") or is_flat(array(code, plane)[::STRIDE])
