"""Is this sound? Only what is admitted here is stored (law 5).

words -> another kind -> the container walked -> length -> decoded -> silence

A refusal is NotAudio: it says why, without the text, and has the refused recording in an
attribute. At most 100 ms for a MiB (and for what is smaller): walking takes up to 50, and
decoding has a budget. The decoder's import, once in a process, comes on top.
"""

from __future__ import annotations

import dataclasses
import re
from codecs import getincrementaldecoder
from typing import Final

from audiocache.content_types import sniff
from audiocache.entries import Recording
from tts import halves
from tts.containers import WALKERS, BadContainer, Walked
from tts.containers.samples import ALAW, LINEAR, ULAW, walk_alaw, walk_pcm, walk_ulaw
from tts.decoding import FORMATS, Decoded, can_decode, decode
from tts.exceptions import NotAudio
from tts.formats import codec_of, content_type_of
from tts.habits import Habits
from tts.speech import SpeechRequest

APART_MS: Final = 300
APART: Final = 0.1
"""By how much a decoder may give less or more than the container says: the greater of both counts.
Decoders drop what encoders put around the sound, or leave it where answers were joined."""

SAMPLES: Final = {"pcm": walk_pcm, "ulaw": walk_ulaw, "mulaw": walk_ulaw, "alaw": walk_alaw}
"""Formats without a container, by codec."""
STREAMS: Final = {"opus": "opus", "vorbis": "vorbis"}
"""Formats that mean one codec of a container that holds several."""
LAWS: Final = {"ulaw": ULAW, "mulaw": ULAW, "alaw": ALAW}
"""Of WAV, as in `wav_8000_ulaw`; a name with other details means samples by no law."""

HEAD: Final = 256
"""Bytes that tell a message from a sound."""
FEW: Final = 8
"""Letters; a message has more."""

_KINDS: Final = {b"{": "JSON", b"[": "JSON", b"<": "HTML or XML"}
_WORDS: Final = bytes({9, 10, 13, *range(32, 127), *range(128, 256)})
_MAGIC: Final = (b"RIFF", b"OggS", b"fLaC", b"ID3\x02", b"ID3\x03", b"ID3\x04")
_RATE: Final = re.compile(r"_([1-9][0-9]{3,5})(?:_|$)")


def admit(recording: Recording, request: SpeechRequest, habits: Habits | None = None) -> Recording:
    """The recording with content type and duration as told from its bytes.

    Raises NotAudio unless it is whole, not silent, of the format asked for, and of a
    plausible length, also for this voice where its habits are given; they learn from it. What
    was made here of a whole clip needs no mark at its end.
    """
    try:
        return _admitted(recording, request, habits)
    except _Refusal as refusal:
        error = NotAudio(str(refusal), provider=request.provider or "")
        error.recording = recording
        raise error from None


def begins_well(head: bytes, request: SpeechRequest) -> bool:
    """May the sound of a request begin with these bytes? HEAD of them tell."""
    codec = codec_of(request.audio_format or "")
    bare = codec in SAMPLES
    try:
        if not (bare and _is_soft(head)):
            _refuse_words(head, bare=bare)
        _refuse_other_kind(head, content_type_of(codec), bare=bare)
    except _Refusal:
        return False
    return True


class _Refusal(Exception):
    """Why it is not sound."""


def _admitted(recording: Recording, request: SpeechRequest, habits: Habits | None) -> Recording:
    audio, wanted = recording.audio, content_type_of(request.audio_format or "")
    codec = codec_of(request.audio_format or "")
    _refuse_words(audio, bare=codec in SAMPLES)
    _refuse_other_kind(audio, wanted, bare=codec in SAMPLES)
    try:
        walked = _walked(audio, wanted, request)
        _refuse_other_coding(walked, request.audio_format or "")
        duration_ms = recording.duration_ms if walked.duration_ms is None else walked.duration_ms
        may_be_cut = halves.may_be_cut(recording, request, walked)
        if not walked.silent and duration_ms is not None:
            _refuse(halves.why_implausible(duration_ms / 1000, request, cut=may_be_cut))
        if walked.silent or _decodes_to_silence(audio, wanted, walked):
            raise _Refusal("the answer is silent")
        if duration_ms is not None and may_be_cut:
            _refuse(halves.why_cut(duration_ms / 1000, recording, request, walked, habits))
        elif duration_ms and walked.end_is_marked and habits and not recording.transcoded_from:
            halves.learn_whole(duration_ms / 1000, request, habits)
    except BadContainer as error:
        raise _Refusal(f"the answer is no whole {wanted}: {error}") from error
    return dataclasses.replace(recording, content_type=wanted, duration_ms=duration_ms)


def _refuse(why: str | None) -> None:
    if why:
        raise _Refusal(why)


def _refuse_words(audio: bytes, *, bare: bool) -> None:
    """JSON, HTML and any other plain text is a message, whatever its content type says.

    Bare samples may begin like words, such as soft ones in A-law: they are judged as a whole.
    """
    if not audio:
        raise _Refusal("the answer is empty")
    head = audio[:HEAD]
    if not _is_words(head) or (bare and not _is_words(audio)):
        return
    kind = _KINDS.get(head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1], "plain text")
    raise _Refusal(f"the answer is {kind}, not audio")


def _is_soft(head: bytes) -> bool:
    """Soft samples may look like words, of a few letters: the whole of them tells at its end."""
    return len(set(head)) <= FEW and head.lstrip()[:1] not in _KINDS


def _is_words(data: bytes) -> bool:
    if data.translate(None, _WORDS):
        return False
    try:
        # Incremental, as a character may be cut at the end.
        getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _walked(audio: bytes, wanted: str, request: SpeechRequest) -> Walked:
    """What walking shows. Raises BadContainer."""
    bare = SAMPLES.get(codec_of(request.audio_format or ""))
    if bare is not None:
        return bare(audio, _rate(request))
    return WALKERS[wanted](audio) if wanted in WALKERS else Walked()


def _refuse_other_kind(audio: bytes, wanted: str, *, bare: bool) -> None:
    told = sniff(audio)
    if _is_file(audio, told) if bare else told != wanted:
        raise _Refusal(f"the answer is {told}, not {wanted}")


def _is_file(audio: bytes, told: str) -> bool:
    """Bare samples may begin like an MPEG frame; frames to the end are no accident."""
    if audio.startswith(_MAGIC) or told not in WALKERS:
        return audio.startswith(_MAGIC)
    try:
        WALKERS[told](audio)
    except BadContainer:
        return False
    return True


def _refuse_other_coding(walked: Walked, audio_format: str) -> None:
    """What a format names has to be so; `wav` alone names nothing."""
    wanted, rate = _named_codec(audio_format), _named_rate(audio_format)
    if wanted and walked.codec != wanted:
        raise _Refusal(f"the answer is {walked.codec}, not {wanted}")
    if rate and walked.rate and walked.rate != rate:
        raise _Refusal(f"the answer has {walked.rate} samples a second, not {rate}")


def _named_codec(audio_format: str) -> str | None:
    codec, *details = audio_format.split("_")
    if codec == "wav" and details:
        return next((LAWS[detail] for detail in details if detail in LAWS), LINEAR)
    return STREAMS.get(codec)


def _decodes_to_silence(audio: bytes, wanted: str, walked: Walked) -> bool:
    """Decoded where the walk did not see the sound itself, and where a decoder is there.

    Raises BadContainer when it cannot be decoded to its end.
    """
    if walked.silent is not None or wanted not in FORMATS or not can_decode():
        return False
    decoded = decode(audio, walked.pieces, wanted)
    _refuse_apart(decoded, walked.duration_ms or 0)
    return decoded.silent


def _refuse_apart(decoded: Decoded, whole_ms: int) -> None:
    """As far as it was decoded, less cannot be there than was given, nor more than the whole."""
    said = whole_ms if decoded.to_the_end else decoded.given_ms
    if decoded.duration_ms < said - max(APART_MS, said * APART):
        raise BadContainer(f"{decoded.duration_ms} of {said} ms can be decoded")
    if decoded.duration_ms > whole_ms + max(APART_MS, whole_ms * APART):
        raise BadContainer(f"its sound goes on behind the {whole_ms} ms that it says")


def _rate(request: SpeechRequest) -> int | None:
    """Samples a second of bare samples: as asked for, or as in `pcm_16000`."""
    if request.sample_rate is not None:
        return request.sample_rate
    return _named_rate(request.audio_format or "")


def _named_rate(audio_format: str) -> int | None:
    found = _RATE.search(audio_format)
    return int(found[1]) if found else None
