"""WAV, as `tts.wav` reads it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from tts.containers.base import BadContainer, Walked
from tts.containers.samples import ALAW, LINEAR, ULAW, is_silent, is_silent_24, is_silent_law
from tts.wav import PCM, BadWav, read_wav

FLOAT: Final = 3
ALAW_CODING: Final = 6
ULAW_CODING: Final = 7

SILENT: Final[dict[tuple[int, int], Callable[[bytes], bool]]] = {
    (PCM, 8): partial(is_silent, code="B"),
    (PCM, 16): is_silent,
    (PCM, 24): is_silent_24,
    (PCM, 32): partial(is_silent, code="i"),
    (FLOAT, 32): partial(is_silent, code="f"),
    (FLOAT, 64): partial(is_silent, code="d"),
    (ALAW_CODING, 8): partial(is_silent_law, law=ALAW),
    (ULAW_CODING, 8): partial(is_silent_law, law=ULAW),
}
"""Whether samples are silent, by their coding and bits. What is not here is no sound to us."""
LAWS: Final = {ALAW_CODING: ALAW, ULAW_CODING: ULAW}


def walk_wav(audio: bytes) -> Walked:
    """All chunks. Raises BadContainer."""
    try:
        wav = read_wav(audio)
    except BadWav as error:
        raise BadContainer(str(error)) from error
    silent = SILENT.get((wav.coding, wav.bits))
    if silent is None:
        raise BadContainer(f"its coding {wav.coding:#06x} of {wav.bits} bits is not known")
    if wav.block * 8 != wav.channels * wav.bits:
        raise BadContainer(f"its blocks of {wav.block} bytes are not those of its samples")
    codec = LAWS.get(wav.coding, LINEAR)
    return Walked(
        wav.duration_ms,
        codec,
        silent=silent(wav.data),
        end_is_marked=wav.is_said,
        rate=wav.sample_rate,
    )
