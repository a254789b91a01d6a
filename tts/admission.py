"""Is this sound? Only what is admitted here is stored (law 5).

A refusal is NotAudio and says why, without the text. The container of each content type is
walked by its own function in `_WALKERS`; a type without one is told by its first bytes only.
"""

from __future__ import annotations

import dataclasses
import sys
from array import array
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Final, NamedTuple

from audiocache.content_types import sniff
from audiocache.entries import Recording
from tts.exceptions import NotAudio
from tts.formats import content_type_of
from tts.plausible import bounds
from tts.speech import SpeechRequest
from tts.wav import PCM, BadWav, read_wav

SILENCE: Final = 64
"""Peak to peak of 16-bit samples, about -60 dB: nothing that is heard is softer."""

_HEAD: Final = 256
_WORDS: Final = frozenset({9, 10, 13, *range(32, 127), *range(128, 256)})


class Walked(NamedTuple):
    """What walking a container to its end has shown."""

    duration_ms: int | None = None
    silent: bool = False


def admit(recording: Recording, request: SpeechRequest) -> Recording:
    """The recording with content type and duration as told from its bytes.

    Raises NotAudio unless it is whole, not silent, of the format asked for, and of a
    plausible length.
    """
    try:
        return _admitted(recording, request)
    except _Refusal as refusal:
        raise NotAudio(str(refusal), provider=request.provider or "") from None


class _Refusal(Exception):
    """Why it is not sound."""


def _admitted(recording: Recording, request: SpeechRequest) -> Recording:
    wanted = content_type_of(request.audio_format or "")
    _refuse_words(recording.audio)
    _refuse_other_kind(recording.audio, wanted)
    walked = _WALKERS.get(wanted, _not_walked)(recording.audio, request)
    if walked.silent:
        raise _Refusal("the answer is silent")
    duration_ms = walked.duration_ms if walked.duration_ms is not None else recording.duration_ms
    if duration_ms is not None:
        _refuse_length(duration_ms, request)
    return dataclasses.replace(recording, content_type=wanted, duration_ms=duration_ms)


def _refuse_words(audio: bytes) -> None:
    """JSON, HTML and any other plain text is a message, whatever its content type says."""
    if not audio:
        raise _Refusal("the answer is empty")
    head = audio[:_HEAD]
    if not _is_words(head):
        return
    kinds = {b"{": "JSON", b"[": "JSON", b"<": "HTML or XML"}
    kind = kinds.get(head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1], "plain text")
    raise _Refusal(f"the answer is {kind}, not audio")


def _is_words(head: bytes) -> bool:
    try:
        # Incremental, as a character may be cut at the end of the head.
        getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return _WORDS.issuperset(head)


def _refuse_other_kind(audio: bytes, wanted: str) -> None:
    told = sniff(audio)
    if wanted == "audio/pcm":
        # Bare samples may look like an MPEG frame; a name of four letters is no accident.
        if audio[:4] in {b"RIFF", b"OggS", b"fLaC"} or audio[:3] == b"ID3":
            raise _Refusal(f"the answer is {told}, not {wanted}")
    elif told != wanted:
        raise _Refusal(f"the answer is {told}, not {wanted}")


def _refuse_length(duration_ms: int, request: SpeechRequest) -> None:
    least, most = bounds(request.text, request.speed or 1.0, ssml=request.ssml)
    seconds = duration_ms / 1000
    if not least <= seconds <= most:
        raise _Refusal(
            f"the answer lasts {seconds:.2f} s; for this text {least:.2f} to {most:.0f} s "
            "are plausible"
        )


# Walkers


def _walk_wav(audio: bytes, _: SpeechRequest) -> Walked:
    try:
        wav = read_wav(audio)
    except BadWav as error:
        raise _Refusal(f"the answer is no whole WAV file: {error}") from error
    silent = _is_silent(wav.data) if (wav.coding, wav.bits) == (PCM, 16) else len(set(wav.data)) < 2
    return Walked(wav.duration_ms, silent)


def _walk_pcm(audio: bytes, request: SpeechRequest) -> Walked:
    if len(audio) % 2:
        raise _Refusal("the answer is cut in the middle of a 16-bit sample")
    rate = request.sample_rate
    return Walked(round(len(audio) * 500 / rate) if rate else None, _is_silent(audio))


def _not_walked(_: bytes, __: SpeechRequest) -> Walked:
    return Walked()


_WALKERS: Final[dict[str, Callable[[bytes, SpeechRequest], Walked]]] = {
    "audio/wav": _walk_wav,
    "audio/pcm": _walk_pcm,
}


def _is_silent(pcm: bytes) -> bool:
    """Do these 16-bit little-endian samples never leave a line?"""
    samples = array("h", pcm[: len(pcm) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return not samples or max(samples) - min(samples) < SILENCE
