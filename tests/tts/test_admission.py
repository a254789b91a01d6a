"""Law 5: only sound enters."""

from __future__ import annotations

import contextlib
import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocache.entries import Recording
from tests.tts.doubles import StubProvider
from tts.admission import admit
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import NotAudio
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest
from tts.wav import wav_of

SENTENCE = "The library closes in fifteen minutes, please come to the desk."
PROVIDER = StubProvider(TTSConfig())


def request(text: str = SENTENCE, audio_format: str = "wav", **fields: Any) -> SpeechRequest:
    return PROVIDER.complete(SpeechRequest(text, audio_format=audio_format, **fields))


def spoken(asked: SpeechRequest) -> bytes:
    return ToneProvider.synthesize(PROVIDER, asked, Deadline.after(5)).audio


def tone(seconds: float) -> bytes:
    """A square wave of 400 Hz, 8000 samples a second."""
    cycle = struct.pack("<h", 9000) * 10 + struct.pack("<h", -9000) * 10
    return cycle * round(seconds * 400)


def refusal(audio: bytes, asked: SpeechRequest) -> str:
    with pytest.raises(NotAudio) as caught:
        admit(Recording(audio=audio, content_type="audio/wav"), asked)
    assert caught.value.provider == "stub"
    assert asked.text not in str(caught.value)
    return str(caught.value)


def test_sound_is_admitted_with_its_length_told_from_the_bytes() -> None:
    asked = request()
    recording = admit(Recording(audio=spoken(asked), content_type="text/html"), asked)
    assert recording.content_type == "audio/wav"
    assert recording.duration_ms is not None
    assert 2000 < recording.duration_ms < 8000


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "empty"),
        (b'{"detail": {"status": "quota_exceeded"}}', "JSON"),
        (b"  [1, 2]", "JSON"),
        (b"<!DOCTYPE html><html>" + b"x" * 1000, "HTML"),
        (b"\xef\xbb\xbf<html>", "HTML"),
        ("Zugriff verweigert: ungültig".encode(), "plain text"),
        (("é" * 1000).encode(), "plain text"),
        (b"ID3\x04" + bytes(3000), "audio/mpeg"),
        (b"OggS" + bytes(3000), "audio/ogg"),
        (bytes(3000), "octet-stream"),
        (wav_of(tone(3), 8000)[:-500], "no whole WAV file: cut"),
        (wav_of(bytes(48000), 8000), "silent"),
        (wav_of(struct.pack("<h", 5) * 24000, 8000), "silent"),
        (wav_of(b"", 8000), "silent"),
        (wav_of(tone(0.05), 8000), "lasts 0.05 s"),
        (wav_of(tone(600), 8000), "lasts 600.00 s"),
    ],
)
@pytest.mark.parametrize("audio_format", ["wav"])
def test_what_is_no_sound_is_refused_with_the_reason(
    audio: bytes, why: str, audio_format: str
) -> None:
    assert why in refusal(audio, request(audio_format=audio_format))


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"", "empty"),
        (b'{"error": 1}', "JSON"),
        (b"upstream connect error", "plain text"),
        (tone(3)[:-1], "cut"),
        (bytes(48000), "silent"),
        (wav_of(tone(3), 8000), "audio/wav"),
        (b"ID3\x04" + tone(3), "audio/mpeg"),
        (tone(0.05), "lasts"),
    ],
)
def test_bare_samples_are_judged_as_far_as_they_can_be(audio: bytes, why: str) -> None:
    assert why in refusal(audio, request(audio_format="pcm"))


def test_samples_that_begin_like_an_mpeg_frame_are_samples() -> None:
    asked = request(audio_format="pcm")
    audio = struct.pack("<h", -2) * 2 + tone(4)
    assert admit(Recording(audio=audio), asked).content_type == "audio/pcm"


def test_another_coding_of_wav_is_silent_only_when_nothing_changes() -> None:
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 24000, b"WAVE", b"fmt ", 16,
                         7, 1, 8000, 8000, 1, 8, b"data", 24000)  # fmt: skip
    assert "silent" in refusal(header + b"\xff" * 24000, request())
    asked = request()
    assert admit(Recording(audio=header + b"\xff\x10" * 12000), asked).duration_ms == 3000


def test_a_format_without_a_walker_is_told_by_its_first_bytes() -> None:
    asked = request(audio_format="mp3")
    frame = Recording(audio=b"\xff\xfb\x90\x00" + bytes(400), duration_ms=4000)
    assert admit(frame, asked).content_type == "audio/mpeg"
    assert admit(Recording(audio=frame.audio), asked).duration_ms is None
    assert "lasts" in refusal_of(Recording(audio=frame.audio, duration_ms=10), asked)


def refusal_of(recording: Recording, asked: SpeechRequest) -> str:
    with pytest.raises(NotAudio) as caught:
        admit(recording, asked)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds", "fields"),
    [
        ("Hm!", 0.15, {}),
        ("Oh", 0.05, {}),
        ("1234567890123", 25, {}),
        ("😀😀", 6, {}),
        ("東京都", 0.5, {}),
        ("东", 1, {}),
        (SENTENCE, 2, {}),
        (SENTENCE, 0.6, {"speed": 4}),
        (SENTENCE, 40, {"speed": 0.25}),
        ("<speak>Wait <break time='60s'/></speak>", 61, {"ssml": True}),
    ],
)
def test_plausible_lengths_are_admitted(text: str, seconds: float, fields: dict[str, Any]) -> None:
    asked = request(text, **fields)
    assert admit(Recording(audio=wav_of(tone(seconds), 8000)), asked).duration_ms


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("Hello", 90), (SENTENCE, 0.05), (SENTENCE, 0.5), ("word " * 180, 12), ("Oh", 0.01)],
)
def test_implausible_lengths_are_refused(text: str, seconds: float) -> None:
    assert "plausible" in refusal(wav_of(tone(seconds), 8000), request(text))


@settings(deadline=None)
@given(st.binary(max_size=3000), st.sampled_from(["wav", "pcm", "mp3"]), st.booleans())
def test_admission_raises_nothing_but_its_refusal(
    noise: bytes, audio_format: str, headed: bool
) -> None:
    audio = wav_of(tone(3), 8000)[:40] + noise if headed else noise
    with contextlib.suppress(NotAudio):
        admit(Recording(audio=audio), request(audio_format=audio_format))


@pytest.mark.parametrize(
    "audio",
    [
        wav_of(tone(120), 8000),
        b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 200_000,
        wav_of(bytes(2_000_000), 8000),
        b"{" * 2_000_000,
    ],
    ids=["sound", "many chunks", "silence", "words"],
)
def test_admission_takes_at_most_a_tenth_of_a_second_for_a_mebibyte(audio: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(NotAudio):
        admit(Recording(audio=audio), request("word " * 200))
    assert time.process_time() - started < 0.1 * len(audio) / 2**20
