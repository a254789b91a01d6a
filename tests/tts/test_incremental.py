"""Another format of a sound that is still coming: every one that is read so, into each."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from tests.tts.clips import clip, spoken
from tests.tts.test_transcoding import judged
from tests.tts.vendors.telephone import telephone_wav
from tts.incremental import Incremental
from tts.transcoding import MADE, CannotTranscode, shape_of, transcoded
from tts.wav import ENDLESS, endless_header, read_wav, wav_of

TEXT = "The museum is free on Sundays, and closed on Mondays."
RATE = spoken(TEXT)[1]
SAMPLES = spoken(TEXT)[0]
SECONDS = len(SAMPLES) / 2 / RATE
SOURCES = ("wav", "pcm", "mp3", "aac")
WITH_LENGTH = {"wav", "flac"}
"""Formats whose header says how long they are."""


def pieces(audio: bytes, size: int) -> Iterator[bytes]:
    return (audio[at : at + size] for at in range(0, len(audio), size))


def made(source: str, wanted: str, audio: bytes, size: int = 997) -> tuple[list[bytes], bytes]:
    """What was given out at each piece and at the end; and the whole."""
    rate = RATE if source == "pcm" else None
    making = Incremental(shape_of(source, rate), shape_of(wanted))
    out = [making.take(piece) for piece in pieces(audio, size)]
    rest, whole = making.end()
    return [*out, rest], whole


@pytest.mark.untraced
@pytest.mark.parametrize("wanted", [*MADE, "pcm_16000", "mp3_44100_128"])
@pytest.mark.parametrize("source", SOURCES)
def test_what_comes_in_pieces_is_the_whole_in_the_other_format(source: str, wanted: str) -> None:
    out, whole = made(source, wanted, clip(TEXT, source))
    heard = judged(whole, wanted, RATE if wanted == "pcm" else None)
    if heard.duration_ms is not None:
        assert heard.duration_ms / 1000 == pytest.approx(SECONDS, abs=0.25)
    told = b"".join(out)
    assert len(told) == len(whole)
    assert (told == whole) == (wanted not in WITH_LENGTH)
    assert told[44:] == whole[44:]  # but for the length in the header


@pytest.mark.parametrize("wanted", MADE)
@pytest.mark.parametrize("source", SOURCES)
def test_it_is_heard_while_it_comes(source: str, wanted: str) -> None:
    audio = clip(TEXT, source)
    out, whole = made(source, wanted, audio, size=len(audio) // 20)
    first = next(number for number, piece in enumerate(out) if piece)
    assert first < 5
    assert sum(map(len, out[:11])) > len(whole) / 4


@pytest.mark.untraced
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_samples_are_the_same_in_whatever_pieces_they_come(size: int) -> None:
    audio = clip("So." if size == 1 else TEXT, "wav")
    out, whole = made("wav", "wav", audio, size)
    assert whole == audio
    assert b"".join(out) == endless_header(RATE) + audio[44:]
    assert read_wav(b"".join(out)).data == read_wav(whole).data


def test_a_wav_says_how_long_it_is_or_not() -> None:
    endless = endless_header(RATE) + SAMPLES
    empty = struct.pack("<4sI", b"data", 0).join(
        endless.split(struct.pack("<4sI", b"data", ENDLESS))
    )
    for audio in (endless, empty):
        assert made("wav", "pcm", audio)[1] == SAMPLES


def test_what_stands_around_the_samples_of_a_wav_is_not_heard() -> None:
    note = struct.pack("<4sI", b"LIST", 7) + b"INFOxyz\0"
    plain = clip(TEXT, "wav")
    audio = plain[:36] + note + plain[36:] + note
    assert made("wav", "pcm", audio, size=10)[1] == SAMPLES


def test_two_channels_become_one() -> None:
    both = b"".join(SAMPLES[at : at + 2] * 2 for at in range(0, len(SAMPLES), 2))
    header = bytearray(wav_of(both, RATE)[:44])
    header[22:24], header[32:34] = struct.pack("<H", 2), struct.pack("<H", 4)
    assert len(made("wav", "pcm", bytes(header) + both, size=33)[1]) == len(SAMPLES)


def test_a_tag_is_passed_over_however_it_looks() -> None:
    bare = clip(TEXT, "mp3")
    tagless = bare[10 + bare[9] :] if bare.startswith(b"ID3") else bare
    picture = tagless[:4000] * 3
    size = bytes(len(picture) >> shift & 0x7F for shift in (21, 14, 7, 0))
    tagged = b"ID3\4\0\0" + size + picture + tagless
    assert made("mp3", "pcm", tagged)[1] == made("mp3", "pcm", tagless)[1]


def test_a_frame_that_cannot_be_decoded_is_left_out() -> None:
    audio = clip(TEXT, "mp3")
    spoiled = audio[:3000] + bytes(700) + audio[3000:]
    assert len(made("mp3", "pcm", spoiled)[1]) == pytest.approx(2 * SECONDS * RATE, rel=0.1)


@pytest.mark.parametrize(
    ("source", "audio"),
    [
        ("wav", b"ID3" * 50),
        ("wav", telephone_wav(TEXT, "alaw", 1)),
        ("wav", clip(TEXT, "wav")[:12] + struct.pack("<4sI", b"LIST", 2**30) + bytes(70_000)),
        ("wav", clip(TEXT, "wav")[:12] + struct.pack("<4sI", b"data", 80) + bytes(80)),
        ("opus", clip(TEXT, "opus")),
        ("flac", clip(TEXT, "flac")),
        ("pcm_x", SAMPLES),
    ],
)
def test_what_is_not_read_as_it_comes_is_told(source: str, audio: bytes) -> None:
    with pytest.raises(CannotTranscode):
        made(source, "mp3", audio)


@pytest.mark.parametrize("source", SOURCES)
def test_of_nothing_nothing_is_made(source: str) -> None:
    assert made(source, "mp3", b"") == ([b""], b"")


def test_a_flac_says_as_much_as_one_that_was_made_of_the_whole() -> None:
    audio = clip(TEXT, "wav")
    streamed = made("wav", "flac", audio)[1]
    at_once = transcoded(audio, shape_of("wav"), shape_of("flac"))
    length = slice(18, 26)
    assert streamed[length] == at_once[length]
