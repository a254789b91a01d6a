"""WAV, as `tts.wav` reads it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from tts.containers.base import BadContainer, Bare, Samples, Walked
from tts.containers.samples import (
    ALAW,
    LINEAR,
    ULAW,
    is_silent,
    linear,
    linear_24,
    of_alaw,
    of_ulaw,
)
from tts.wav import PCM, BadWav, read_wav

FLOAT: Final = 3
ALAW_CODING: Final = 6
ULAW_CODING: Final = 7

READERS: Final[dict[tuple[int, int], Callable[[bytes], Samples]]] = {
    (PCM, 8): partial(linear, code="B"),
    (PCM, 16): linear,
    (PCM, 24): linear_24,
    (PCM, 32): partial(linear, code="i"),
    (FLOAT, 32): partial(linear, code="f"),
    (FLOAT, 64): partial(linear, code="d"),
    (ALAW_CODING, 8): of_alaw,
    (ULAW_CODING, 8): of_ulaw,
}
"""Of samples, by their coding and bits. What is not here is no sound to us."""
LAWS: Final = {ALAW_CODING: ALAW, ULAW_CODING: ULAW}


def walk_wav(audio: bytes) -> Walked:
    """All chunks. Raises BadContainer."""
    try:
        wav = read_wav(audio)
    except BadWav as error:
        raise BadContainer(str(error)) from error
    read = READERS.get((wav.coding, wav.bits))
    if read is None:
        raise BadContainer(f"its coding {wav.coding:#06x} of {wav.bits} bits is not known")
    if wav.block * 8 != wav.channels * wav.bits:
        raise BadContainer(f"its blocks of {wav.block} bytes are not those of its samples")
    codec = LAWS.get(wav.coding, LINEAR)
    return Walked(
        wav.duration_ms,
        codec,
        silent=is_silent(wav.data, read),
        end_is_marked=wav.is_said,
        rate=wav.sample_rate,
        bare=None if wav.is_said else Bare(wav.data, wav.block, wav.sample_rate, read),
    )
