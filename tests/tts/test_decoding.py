"""Decoding: what it costs, what FFmpeg is given, and silence however fast the machine is."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
from array import array
from pathlib import Path

import av
import pytest

from tests.tts import tagged
from tests.tts.clips import TEXTS, clip, encoded, spoken
from tts import decoding
from tts.containers import WALKERS, BadContainer
from tts.containers.base import Piece, sound_of
from tts.decoding import FORMATS as FFMPEG_NAMES
from tts.decoding import Decoded, decode
from tts.formats import CONTENT_TYPES

CODED = ("mp3", "opus", "vorbis", "aac", "flac")
SENTENCE = TEXTS["en"][:60]
COLD = """
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=[])
from tts.admission import admit
from tts.exceptions import NotAudio
from tts.speech import SpeechRequest
from audiocache.entries import Recording
request = SpeechRequest("word " * 24).completed(provider="x", audio_format="mp3", speed=1)
try:
    admit(Recording(audio=sys.stdin.buffer.read()), request)
except NotAudio as error:
    print(error)
"""


def decoded(audio: bytes, audio_format: str, *, budget: bool = True) -> Decoded:
    """Without a budget, time is over with the first packet."""
    content_type = CONTENT_TYPES[audio_format]
    pieces = WALKERS[content_type](audio).pieces
    ticks = itertools.count()
    return decode(audio, pieces, content_type, lambda: 0.0 if budget else float(next(ticks)))


@pytest.mark.parametrize("audio_format", CODED)
def test_the_pieces_are_all_of_the_sound(audio_format: str) -> None:
    pcm, rate = spoken(TEXTS["en"])
    found = decoded(clip(TEXTS["en"], audio_format), audio_format)
    assert found.to_the_end
    assert not found.silent
    assert found.duration_ms == pytest.approx(len(pcm) * 500 / rate, abs=150)
    assert found.given_ms == pytest.approx(found.duration_ms, abs=200)


@pytest.mark.parametrize("audio_format", CODED)
def test_each_piece_can_be_decoded_by_itself(audio_format: str) -> None:
    audio, content_type = clip(TEXTS["en"], audio_format), CONTENT_TYPES[audio_format]
    pieces = WALKERS[content_type](audio).pieces
    assert len(pieces) > 10
    middle = [decode(audio, [piece], content_type, lambda: 0.0) for piece in pieces[1:-1]]
    assert sum(it.silent for it in middle) <= 2  # pauses between sentences
    assert all(300 < it.duration_ms < 1500 for it in middle)


@pytest.mark.parametrize("audio_format", CODED)
def test_silence_is_silence_however_little_time_there_is(audio_format: str) -> None:
    audio = encoded(bytes(2 * 22_050 * 20), 22_050, audio_format)
    found = decoded(audio, audio_format, budget=False)
    assert found.silent
    assert not found.to_the_end


@pytest.mark.parametrize("audio_format", CODED)
def test_a_word_in_a_long_silence_is_found(audio_format: str) -> None:
    pcm, rate = spoken("Hello")
    silence = bytes(2 * rate * 15)
    audio = encoded(silence + pcm + silence, rate, audio_format)
    ticks = itertools.chain(itertools.repeat(0.0, 2), [9.0], itertools.repeat(0.0))
    content_type = CONTENT_TYPES[audio_format]
    found = decode(audio, WALKERS[content_type](audio).pieces, content_type, lambda: next(ticks))
    assert not found.silent
    assert not found.to_the_end


@pytest.mark.parametrize("layout", ["stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"])
def test_each_of_interleaved_channels_is_looked_at(layout: str) -> None:
    channels = av.AudioLayout(layout).nb_channels
    for sounding in range(channels):
        audio = in_one_channel(layout, channels, sounding)
        assert not decoded(audio, "flac").silent


def in_one_channel(layout: str, channels: int, sounding: int) -> bytes:
    """A tone in one channel, as FLAC; the others are silent."""
    samples = array("h", bytes(2 * 4608 * channels))
    samples[sounding::channels] = array("h", [9000, -9000] * 2304)
    frame = av.AudioFrame(format="s16", layout=layout, samples=4608)
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate, frame.pts = 24_000, 0
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as output:
        stream = output.add_stream("flac", rate=24_000)
        stream.layout = layout
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_the_first_silent_clip_of_a_process_is_refused() -> None:
    run = subprocess.run(
        [sys.executable, "-c", COLD],
        input=encoded(bytes(2 * 24_000 * 12), 24_000, "mp3"),
        capture_output=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env=os.environ,
    )
    assert (run.stdout, run.stderr) == (b"the answer is silent\n", b"")


def test_past_its_budget_a_clip_is_judged_by_what_was_decoded() -> None:
    found = decoded(clip(SENTENCE, "mp3"), "mp3", budget=False)
    assert not found.to_the_end
    assert found.duration_ms < 1000
    assert found.given_ms < 1000


@pytest.mark.parametrize(
    ("audio_format", "audio"),
    [
        ("mp3", tagged.with_id3_frames(clip(SENTENCE, "mp3"), 3)),
        ("mp3", clip(SENTENCE, "mp3") + b"TAG" + b"k1=v" * 31 + b"k"),
        ("flac", tagged.with_flac_comments(clip(SENTENCE, "flac"), 3)),
        ("opus", tagged.with_ogg_comments(clip(SENTENCE, "opus"), 3)),
        ("vorbis", tagged.with_ogg_comments(clip(SENTENCE, "vorbis"), 3)),
    ],
    ids=["ID3", "ID3v1", "FLAC", "Opus", "Vorbis"],
)
def test_ffmpeg_is_given_no_tags(audio_format: str, audio: bytes) -> None:
    walked = WALKERS[CONTENT_TYPES[audio_format]](audio)
    assert re.search(b"k1[=\\0]v", audio)
    assert not re.search(b"k1[=\\0]v", sound_of(audio, walked.pieces))
    assert decoded(audio, audio_format).duration_ms == pytest.approx(walked.duration_ms, abs=150)


def test_a_header_within_the_sound_of_vorbis_is_refused() -> None:
    """FFmpeg would read its comments."""
    audio = clip(TEXTS["en"], "vorbis")
    at = audio.rfind(b"OggS")
    begin = at + 27 + audio[at + 26]
    page = bytearray(audio[at:])
    page[begin - at] |= 1
    with pytest.raises(BadContainer, match="a header lies within its sound"):
        WALKERS["audio/ogg"](audio[:at] + tagged._numbered(bytes(page), page[18]))


@pytest.mark.parametrize("content_type", FFMPEG_NAMES)
def test_what_cannot_be_decoded_is_no_sound(content_type: str) -> None:
    """FFmpeg raises, or finds nothing, which is less than any container says."""
    audio = SENTENCE.encode() * 50
    try:
        found = decode(audio, [Piece(b"", 0, len(audio))], content_type)
        assert (found.duration_ms, found.silent, found.to_the_end) == (0, True, True)
    except BadContainer as error:
        assert str(error).startswith("the decoder fails")  # noqa: PT017 - either is right


def test_whatever_the_decoder_raises_is_a_refusal() -> None:
    with pytest.raises(BadContainer, match="the decoder fails"):
        decode(b"fLaC" + bytes(900), [Piece(b"", 0, 904)], "audio/flac")
    with pytest.raises(BadContainer, match="the decoder fails"):
        decode(b"", [], "audio/ogg")


RACE = """
import sys, threading

failures = []

def run(line):
    try:
        exec(line, {})
    except BaseException as error:
        failures.append(repr(error))

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=run, args=(line,)) for line in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*failures)
"""


def test_the_first_sounds_of_a_process_are_read_at_once() -> None:
    """Threads that begin with different modules of PyAV, which import one another, all fail."""
    sources = "".join(one.read_text() for one in Path(decoding.__file__).parent.rglob("*.py"))
    lines = sorted(set(re.findall(r"\n +((?:import|from) av\b[^#\n]*[^# \n])", sources)))
    assert len(lines) > 4
    assert not [line for line in lines if line.startswith("from av.")]
    done = subprocess.run(
        [sys.executable, "-c", RACE, *lines * 2],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == ""
