"""Every container: real clips are walked to their end, cut or changed ones are refused."""

from __future__ import annotations

import contextlib
import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.clips import TEXTS, clip, spoken
from tts.containers import WALKERS, BadContainer
from tts.containers.samples import PART, SILENCE, is_flat, is_silent, linear, of_ulaw
from tts.formats import CONTENT_TYPES

CODED = ("mp3", "opus", "aac", "flac", "wav")
CHECKED = ("opus", "flac")
"""These have a checksum over all of their sound."""


def walk(audio_format: str, audio: bytes) -> int:
    duration_ms = WALKERS[CONTENT_TYPES[audio_format]](audio).duration_ms
    assert duration_ms is not None
    return duration_ms


@pytest.mark.parametrize("audio_format", CODED)
@pytest.mark.parametrize("text", ["Oh", TEXTS["en"][:60], TEXTS["en"]])
def test_a_real_clip_lasts_as_long_as_its_samples(audio_format: str, text: str) -> None:
    pcm, rate = spoken(text)
    said = walk(audio_format, clip(text, audio_format))
    # Encoders put up to three frames of their own around the sound.
    assert -1 <= said - len(pcm) * 500 / rate < 220


@pytest.mark.parametrize("audio_format", CODED)
@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.9, 0.999])
def test_a_part_of_a_clip_is_cut(audio_format: str, part: float) -> None:
    audio = clip(TEXTS["en"], audio_format)
    cut = audio[: int(len(audio) * part)]
    with pytest.raises(BadContainer, match=r"cut|missing|fails its checksum"):
        walk(audio_format, cut)


@pytest.mark.parametrize("audio_format", CODED)
def test_one_byte_less_is_cut(audio_format: str) -> None:
    with pytest.raises(BadContainer):
        walk(audio_format, clip("Good morning.", audio_format)[:-1])


@pytest.mark.parametrize("audio_format", CODED)
@pytest.mark.parametrize("junk", [b"<html>", b"\xff" * 9, b'{"error": "time-out"}'])
def test_nothing_may_follow_the_end(audio_format: str, junk: bytes) -> None:
    with pytest.raises(BadContainer):
        walk(audio_format, clip("Good morning.", audio_format) + junk)


@pytest.mark.parametrize("audio_format", CHECKED)
def test_any_changed_byte_of_sound_is_seen(audio_format: str) -> None:
    audio = clip(TEXTS["en"][:60], audio_format)
    # Behind them: FLAC's metadata has no checksum.
    for at in range(9000, len(audio), 997):
        changed = audio[:at] + bytes([audio[at] ^ 0x10]) + audio[at + 1 :]
        with pytest.raises(BadContainer):
            walk(audio_format, changed)


@pytest.mark.parametrize("audio_format", CODED)
def test_a_hole_in_the_middle_is_seen(audio_format: str) -> None:
    audio = clip(TEXTS["en"], audio_format)
    middle = len(audio) // 2
    with pytest.raises(BadContainer):
        walk(audio_format, audio[:middle] + audio[middle + 3000 :])


@pytest.mark.untraced
@pytest.mark.parametrize("audio_format", CODED)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_whatever_the_bytes_only_its_own_error_is_raised(
    audio_format: str, data: st.DataObject
) -> None:
    audio = bytearray(clip("Good morning.", audio_format))
    for _ in range(data.draw(st.integers(0, 6))):
        audio[data.draw(st.integers(0, len(audio) - 1))] = data.draw(st.integers(0, 255))
    begin = data.draw(st.integers(0, 40))
    with contextlib.suppress(BadContainer):
        walk(audio_format, bytes(audio)[begin:] + data.draw(st.binary(max_size=40)))


def test_long_samples_are_looked_through_in_portions() -> None:
    """A second of other threads' time would go by, where one look took in a whole clip."""
    quiet = array("h", bytes(2 * 10 * PART))
    assert is_flat(quiet)
    assert not is_flat(quiet + array("h", [SILENCE]))
    steps = array("h", [-SILENCE // 2]) * PART + array("h", [SILENCE // 2]) * PART
    assert not is_flat(steps), "portions that are flat in themselves"
    assert is_silent(bytes(20 * PART), linear)
    assert not is_silent(bytes(20 * PART) + b"\x00\x40", linear)
    assert is_silent(b"\xff" * 3 * PART, of_ulaw)
    assert not is_silent(b"\xff" * 3 * PART + b"\x00", of_ulaw)
    assert is_flat(array("f", [math.nan] * 10))
    assert is_flat(array("h"))
