"""WAV, as `tts.wav` reads it."""

from __future__ import annotations

from tts.containers.base import BadContainer, Walked
from tts.containers.samples import is_silent
from tts.wav import PCM, BadWav, Wav, read_wav


def walk_wav(audio: bytes) -> Walked:
    """All chunks. Raises BadContainer."""
    try:
        wav = read_wav(audio)
    except BadWav as error:
        raise BadContainer(str(error)) from error
    return Walked(wav.duration_ms, silent=_is_silent(wav))


def _is_silent(wav: Wav) -> bool:
    if (wav.coding, wav.bits) == (PCM, 16):
        return is_silent(wav.data)
    return len(set(wav.data)) < 2
