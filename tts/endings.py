"""Does a clip break off? Speech that is whole fades away; what is cut ends in full voice mostly.

Half a clip may look whole in a format that does not say how long it is. That its end is as loud
as the rest proves nothing, but with a pace that is doubtful it is evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import Final

from tts.containers.base import Bare, Samples, Walked
from tts.decoding import Part, can_decode, heard

WINDOW: Final = 0.02
"""Seconds; two periods of the deepest voice."""
WINDOWS: Final = 50
"""As many, all over the clip, tell how loud it is."""
MOST: Final = 9600
"""Bytes of a window, a multiple of every sample's; no real one has more."""
STRIDE: Final = 5
"""Of so many decoded samples one is looked at. No usual number of channels goes into it: each of
interleaved ones is seen."""
LOUD: Final = 0.9
"""The part of them that is softer than what counts as the clip's loudness."""
FALL: Final = 6.0
"""Times by which a whole clip is softer at its end, at the least: 16 dB. Who cuts silence off does
so 20 dB below the loudest, or lower."""


RESTS: Final = 25
"""Windows that are heard at its end: half a second."""


def breaks_off(audio: bytes, content_type: str, walked: Walked) -> bool:
    """Is its end nearly as loud as it is? False, too, where nothing here can hear it."""
    return rest_of(audio, content_type, walked) == 0


def rest_of(audio: bytes, content_type: str, walked: Walked) -> float | None:
    """Seconds for which it is quiet at its end, up to a half; None: nothing here can hear it."""
    windows, ends = _windows(audio, content_type, walked)
    levels = sorted(map(_level, windows))
    loudness = levels[int(len(levels) * LOUD)] if levels else 0
    if not loudness:
        return None
    quiet = takewhile(lambda end: _level(end) * FALL <= loudness, islice(ends, RESTS))
    return sum(1 for _ in quiet) * WINDOW


def _level(window: Samples) -> float:
    return max(window) - min(window)


def _windows(
    audio: bytes, content_type: str, walked: Walked
) -> tuple[Iterator[Samples], Iterator[Samples]]:
    """Some from all over the sound, the last one is its end; and those from its end backwards."""
    if walked.bare:
        return _of_bare(walked.bare)
    if walked.pieces and can_decode():
        return _of_parts(heard(audio, walked.pieces, content_type))
    return iter(()), iter(())


def _of_bare(bare: Bare) -> tuple[Iterator[Samples], Iterator[Samples]]:
    count = len(bare.data) // bare.block
    size = min(count, max(1, int(bare.rate * WINDOW)))

    def until(last: int) -> Samples:
        end = last * bare.block
        return bare.read(bare.data[max(0, end - min(size * bare.block, MOST)) : end])

    everywhere = (size + (count - size) * number // WINDOWS for number in range(WINDOWS + 1))
    return map(until, everywhere), map(until, range(count, size - 1, -max(1, size)))


def _of_parts(parts: Sequence[Part]) -> tuple[Iterator[Samples], Iterator[Samples]]:
    """Of none where the end itself could not be heard."""
    cut = [list(_cut(part)) for part in parts]
    if not cut[-1]:
        return iter(()), iter(())
    return chain.from_iterable(cut), reversed(cut[-1])


def _cut(part: Part) -> Iterator[Samples]:
    """Into windows, up to its end."""
    samples, size = part.samples, max(STRIDE, int(part.rate * WINDOW))
    begins = range(len(samples) % size, len(samples), size)
    return (samples[at : at + size : STRIDE] for at in begins)
