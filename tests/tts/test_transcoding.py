"""Another format of a sound: every format that is read, made into each that is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiocache.entries import Recording
from tests.tts.clips import clip, spoken
from tts.admission import admit
from tts.conf import TTSConfig
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest
from tts.transcoding import (
    MADE,
    NAMES,
    CannotTranscode,
    Shape,
    is_good_for,
    is_made_here,
    shape_of,
    transcoded,
)

TEXT = "The museum is free on Sundays, and closed on Mondays."
RATE = spoken(TEXT)[1]
SECONDS = len(spoken(TEXT)[0]) / 2 / RATE


def judged(audio: bytes, audio_format: str, rate: int | None = None) -> Recording:
    request = ToneProvider(TTSConfig()).complete(SpeechRequest(TEXT))
    asked = request.completed(audio_format=audio_format, sample_rate=rate)
    return admit(Recording(audio=audio), asked)


@pytest.mark.untraced
@pytest.mark.parametrize("wanted", [*MADE, "pcm_16000", "wav_44100", "mp3_44100_128"])
@pytest.mark.parametrize("given", [*MADE, "vorbis"])
def test_every_format_becomes_every_other_and_lasts_as_long(given: str, wanted: str) -> None:
    source, shape = shape_of(given, RATE if given == "pcm" else None), shape_of(wanted)
    audio = transcoded(clip(TEXT, given), source, shape)
    # A bare pcm has the source's rate; a coded source says its own.
    heard = judged(audio, wanted, RATE if wanted == "pcm" and given != "opus" else None)
    if heard.duration_ms is not None:
        assert heard.duration_ms / 1000 == pytest.approx(SECONDS, abs=0.25)


@pytest.mark.parametrize("rate", [8000, 48_000])
def test_a_rate_that_is_named_is_the_rate(rate: int) -> None:
    source = shape_of("wav")
    audio = transcoded(clip(TEXT, "wav"), source, shape_of(f"pcm_{rate}"))
    assert len(audio) / 2 / rate == pytest.approx(SECONDS, abs=0.02)


def test_a_bit_rate_that_is_named_is_the_bit_rate() -> None:
    sizes = [
        len(transcoded(clip(TEXT, "wav"), shape_of("wav"), shape_of(f"mp3_44100_{kbps}")))
        for kbps in (32, 128)
    ]
    assert sizes[1] / sizes[0] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("given", ["mp3", "opus", "aac", "flac", "wav"])
@pytest.mark.parametrize("audio", [b"sound", b"", bytes(3000), b"{" * 500])
def test_what_is_no_sound_is_told(given: str, audio: bytes) -> None:
    with pytest.raises(CannotTranscode, match=f"not to be read as {given}|no sound"):
        transcoded(audio, shape_of(given), shape_of("wav"))


def test_no_file_is_opened_that_a_clip_names(tmp_path: Path) -> None:
    named = tmp_path / "secret.wav"
    named.write_bytes(clip(TEXT, "wav"))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{named}\n#EXT-X-ENDLIST\n".encode()
    for given in ("mp3", "wav", "opus"):
        with pytest.raises(CannotTranscode):
            transcoded(playlist, shape_of(given), shape_of("wav"))


@pytest.mark.parametrize(
    ("name", "sample_rate", "shape"),
    [
        ("mp3", None, Shape("mp3", None, None)),
        ("mp3_44100_128", 24_000, Shape("mp3", 44_100, 128)),
        ("pcm", 24_000, Shape("pcm", 24_000, None)),
        ("wav_ulaw", None, Shape("wav_ulaw", None, None)),
    ],
)
def test_a_name_says_what_is_in_it(name: str, sample_rate: int | None, shape: Shape) -> None:
    assert shape_of(name, sample_rate) == shape


@pytest.mark.parametrize(
    ("source", "wanted", "good"),
    [
        ("wav", "mp3", True),
        ("mp3", "wav", True),
        ("mp3_44100_32", "mp3_44100_128", False),
        ("mp3_44100_128", "opus_48000_64", True),  # of which Opus hears no more
        ("mp3_24000", "opus_48000_64", False),  # it has fewer samples
        ("mp3_44100_128", "mp3_22050_32", True),
        ("wav_8000", "wav_24000", False),
        ("ulaw_8000", "wav_8000", True),
        ("pcm", "wav", False),  # nobody knows how fast it is
        ("x", "wav", False),
        ("wav_ulaw", "wav", False),
    ],
)
def test_nothing_is_made_of_what_holds_less(source: str, wanted: str, good: bool) -> None:
    assert is_good_for(shape_of(source), shape_of(wanted)) is good


def test_names_that_can_be_asked_for() -> None:
    assert all(map(is_made_here, NAMES))
    assert not any(map(is_made_here, ("vorbis", "mp3_1", "", None, ["wav"])))
