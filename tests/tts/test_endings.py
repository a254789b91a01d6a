"""Does a clip break off? Of real clips in every form that does not say how long it is."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts import tagged
from tests.tts.clips import clip, encoded, in_full_voice, spoken
from tts import endings
from tts.containers import WALKERS, BadContainer
from tts.containers.base import Bare, Walked
from tts.containers.samples import linear, linear_24, walk_pcm
from tts.endings import FALL, breaks_off
from tts.formats import CONTENT_TYPES

TEXT = "The library closes in fifteen minutes, please come to the desk."
CUT = 0.6


def waves(*loudness: float) -> array[int]:
    """A tenth of a second of a deep tone for each amplitude, 8000 samples a second."""
    wave = [math.sin(2 * math.pi * 70 * at / 8000) for at in range(800)]
    return array("h", [round(height * loud) for loud in loudness for height in wave])


def bare(samples: array[int]) -> Walked:
    return Walked(bare=Bare(samples.tobytes(), 2, 8000, linear))


@pytest.mark.parametrize(
    ("loudness", "abrupt"),
    [
        ([9000] * 9, True),
        ([0, 9000, 0, 9000, 9000, 5000], True),
        ([9000] * 9 + [1400], False),  # 16 dB softer
        ([9000] * 9 + [1600], True),
        ([9000] * 9 + [0], False),
        ([0] * 40 + [9000], False),  # nearly all is silence: nothing is known
        ([0] * 9, False),
        ([9000], True),
    ],
)
def test_an_end_that_is_nearly_as_loud_as_the_clip_is_abrupt(
    loudness: list[float], abrupt: bool
) -> None:
    assert breaks_off(b"", "audio/pcm", bare(waves(*loudness))) is abrupt
    assert 9000 / 1600 < FALL < 9000 / 1400


@pytest.mark.parametrize("samples", [1, 2, 30, 159, 160, 161])
def test_the_shortest_clips_have_an_end(samples: int) -> None:
    loud = array("h", [9000, -9000] * samples)[:samples]
    assert breaks_off(b"", "audio/pcm", bare(loud)) is (samples > 1)


def test_the_window_holds_whole_samples_however_many_channels_there_are() -> None:
    """A hundred channels of 24 bits, a million samples a second: a header may say so."""
    data = b"".join((value << 8).to_bytes(3, "little", signed=True) for value in (9000, -9000))
    walked = Walked(bare=Bare(data * 50 * 2000, 300, 1_000_000, linear_24))
    assert breaks_off(b"", "audio/wav", walked)


@pytest.mark.parametrize(
    ("coding", "bits", "value"),
    [(1, 8, "<B"), (1, 32, "<i"), (3, 32, "<f"), (3, 64, "<d"), (6, 8, "<B"), (7, 8, "<B")],
)
def test_every_coding_of_wav_has_an_end(coding: int, bits: int, value: str) -> None:
    def packed(*numbers: float) -> bytes:
        return struct.pack(value[0] + value[1] * len(numbers), *numbers) * 400

    loud = packed(*((0x10, 0x90) if bits == 8 else (1, -1) if coding == 3 else (2**30, -(2**30))))
    quiet = packed({1: 128 if bits == 8 else 0, 3: 0, 6: 0xD5, 7: 0xFF}[coding])
    for end, abrupt in ((loud, True), (quiet, False)):
        fmt = struct.pack("<HHIIHH", coding, 1, 8000, 1000 * bits, bits // 8, bits)
        head = b"RIFF" + b"\xff" * 4 + b"WAVEfmt " + struct.pack("<I", 16) + fmt
        audio = head + b"data" + b"\xff" * 4 + loud * 9 + end
        assert breaks_off(audio, "audio/wav", WALKERS["audio/wav"](audio)) is abrupt


def _mp3(pcm: bytes, rate: int) -> bytes:
    return tagged.without_xing(encoded(pcm, rate, "mp3"))


def _aac(pcm: bytes, rate: int) -> bytes:
    return encoded(pcm, rate, "aac")


@pytest.mark.parametrize(
    ("content_type", "made"), [("audio/mpeg", _mp3), ("audio/aac", _aac)], ids=["mp3", "aac"]
)
def test_frames_of_a_clip_that_was_cut_are_heard_to_break_off(
    content_type: str, made: Callable[[bytes, int], bytes]
) -> None:
    pcm, rate = spoken(TEXT)
    whole = made(pcm, rate)
    cut = tagged.first_frames(whole, in_full_voice(pcm, rate, CUT), rate)
    assert not breaks_off(whole, content_type, WALKERS[content_type](whole))
    assert breaks_off(cut, content_type, WALKERS[content_type](cut))


def test_pages_and_frames_of_other_containers_are_heard_too() -> None:
    """Their pages and frames are long, so that the sound is cut before it is encoded."""
    pcm, rate = spoken(TEXT)
    half = pcm[: 2 * int(in_full_voice(pcm, rate, CUT) * rate)]
    whole, cut = (tagged.with_unknown_length(encoded(it, rate, "flac")) for it in (pcm, half))
    assert not breaks_off(whole, "audio/flac", WALKERS["audio/flac"](whole))
    assert breaks_off(cut, "audio/flac", WALKERS["audio/flac"](cut))
    whole = tagged.with_unmarked_end(encoded(pcm, rate, "opus"))
    cut = tagged.with_unmarked_end(encoded(pcm, rate, "opus"), 4)
    assert not breaks_off(whole, "audio/ogg", WALKERS["audio/ogg"](whole))


def test_bare_samples_of_a_real_clip() -> None:
    pcm, rate = spoken(TEXT)
    cut = pcm[: 2 * int(in_full_voice(pcm, rate, CUT) * rate)]
    assert not breaks_off(pcm, "audio/pcm", walk_pcm(pcm, rate))
    assert breaks_off(cut, "audio/pcm", walk_pcm(cut, rate))


def test_without_a_decoder_or_a_rate_nobody_hears_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pcm, rate = spoken(TEXT)
    cut = tagged.first_frames(_mp3(pcm, rate), in_full_voice(pcm, rate, CUT), rate)
    walked = WALKERS["audio/mpeg"](cut)
    assert breaks_off(cut, "audio/mpeg", walked)
    monkeypatch.setattr(endings, "can_decode", lambda: False)
    assert not breaks_off(cut, "audio/mpeg", walked)
    assert not breaks_off(pcm, "audio/pcm", walk_pcm(pcm, None))


def test_an_end_that_cannot_be_decoded_by_itself_is_not_heard() -> None:
    audio = tagged.with_random_frames(_mp3(*spoken(TEXT)), 1)
    assert not breaks_off(audio, "audio/mpeg", WALKERS["audio/mpeg"](audio))


@pytest.mark.untraced
@settings(deadline=None, max_examples=20)
@given(st.data())
@pytest.mark.parametrize("audio_format", ["mp3", "aac", "flac", "opus", "vorbis", "wav"])
def test_whatever_a_walker_lets_pass_has_an_answer(audio_format: str, data: st.DataObject) -> None:
    audio = bytearray(clip(TEXT, audio_format))
    for _ in range(data.draw(st.integers(1, 8))):
        audio[data.draw(st.integers(0, len(audio) - 1))] = data.draw(st.integers(0, 255))
    content_type = CONTENT_TYPES[audio_format]
    with suppress(BadContainer):
        walked = WALKERS[content_type](bytes(audio))
        assert breaks_off(bytes(audio), content_type, walked) in {True, False}
