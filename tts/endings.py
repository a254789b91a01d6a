"""Does a clip break off? Speech that is whole fades away; what is cut ends in full voice mostly.

Half a clip may look whole in a format that does not say how long it is. That its end is as loud
as the rest proves nothing, but with a pace that is doubtful it is evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def breaks_off(audio: bytes, content_type: str, walked: Walked) -> bool:
    """Is its end nearly as loud as it is? False, too, where nothing here can hear it."""
    levels = [max(window) - min(window) for window in _windows(audio, content_type, walked)]
    loudness = sorted(levels)[int(len(levels) * LOUD)] if levels else 0
    return loudness > 0 and levels[-1] * FALL > loudness


def _windows(audio: bytes, content_type: str, walked: Walked) -> Iterator[Samples]:
    """Some from all over the sound; the last one is its end."""
    if walked.bare:
        return _of_bare(walked.bare)
    if walked.pieces and can_decode():
        return _of_parts(heard(audio, walked.pieces, content_type))
    return iter(())


def _of_bare(bare: Bare) -> Iterator[Samples]:
    count = len(bare.data) // bare.block
    size = min(count, max(1, int(bare.rate * WINDOW)))
    for number in range(WINDOWS + 1):
        end = (size + (count - size) * number // WINDOWS) * bare.block
        yield bare.read(bare.data[max(0, end - min(size * bare.block, MOST)) : end])


def _of_parts(parts: Sequence[Part]) -> Iterator[Samples]:
    """Of none where the end itself could not be heard."""
    sizes = [max(STRIDE, int(part.rate * WINDOW)) for part in parts]
    if len(parts[-1].samples) < sizes[-1]:
        return
    for (samples, _), size in zip(parts, sizes, strict=True):
        begins = range(len(samples) % size, len(samples), size)
        yield from (samples[at : at + size : STRIDE] for at in begins)
