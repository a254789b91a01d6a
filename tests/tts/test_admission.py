"""Law 5: only sound enters."""

from __future__ import annotations

import contextlib
import random
import struct
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiocache.entries import Recording
from audiocache.testing.sounds import sound
from tests.coverage_plugin import untraced
from tests.tts import tagged
from tests.tts.clips import FORMATS, TEXTS, clip, encoded, in_full_voice
from tests.tts.clips import spoken as spoken_by_espeak
from tests.tts.doubles import StubProvider
from tts import admission
from tts.admission import admit
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.decoding import Decoded
from tts.exceptions import NotAudio
from tts.formats import CONTENT_TYPES
from tts.habits import Habits
from tts.plausible import bounds
from tts.providers.espeak import EspeakProvider
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest
from tts.wav import wav_of

REST = bytes(1600)
"""A tenth of a second of silence, 8000 samples a second."""
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
        (wav_of(tone(3), 8000)[:-500], "no whole audio/wav: cut"),
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


def wav(coding: int, bits: int, data: bytes) -> bytes:
    """Of 8000 samples a second."""
    fmt = struct.pack("<HHIIHH", coding, 1, 8000, 1000 * bits, bits // 8, bits)
    body = b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def packed_24(values: list[int]) -> bytes:
    return b"".join((value << 8).to_bytes(3, "little", signed=True) for value in values)


LOUD = {
    1: struct.pack("<2h", 400, -400),
    3: struct.pack("<2f", 0.5, -0.5),
    6: b"\xd5\x25",
    7: b"\xff\x10",
}
"""Two samples that are heard, by the coding of WAV."""
NEVER_HEARD = [value * 13 % 21 - 10 for value in range(999)]
"""Samples of 16 bits, 70 dB below the loudest."""


@pytest.mark.parametrize(
    ("coding", "bits", "soft", "loud"),
    [
        (1, 8, b"\x80", b"\x80\x90"),
        (1, 16, struct.pack("<999h", *NEVER_HEARD), struct.pack("<2h", 400, -400)),
        (1, 24, packed_24(NEVER_HEARD), packed_24([400, -400])),
        (1, 32, struct.pack("<999i", *(v << 16 for v in NEVER_HEARD)), struct.pack("<2i", 9, 9**9)),
        (3, 32, struct.pack("<999f", *(v / 2**15 for v in NEVER_HEARD)), struct.pack("<2f", 0, 1)),
        (3, 64, struct.pack("<999d", *(v / 2**15 for v in NEVER_HEARD)), struct.pack("<2d", 0, 1)),
        (3, 32, struct.pack("<f", float("nan")), struct.pack("<2f", 0.5, -0.5)),
        (6, 8, b"\xd5\x55", b"\xd5\x25"),
        (7, 8, b"\xff\x7f", b"\xff\x10"),
    ],
)
def test_every_coding_of_wav_may_be_silent(
    coding: int, bits: int, soft: bytes, loud: bytes
) -> None:
    size = 3000 * bits  # three seconds
    quiet, sound = ((part * (size // len(part) + 1))[:size] for part in (soft, loud))
    assert "silent" in refusal(wav(coding, bits, quiet), request())
    assert admit(Recording(audio=wav(coding, bits, sound)), request()).duration_ms == 3000


@pytest.mark.parametrize(
    ("seconds", "said", "text"), [(0.05, 600, SENTENCE), (90, 8000 * 2 * 45, "Hello")]
)
def test_a_wav_is_not_believed_how_long_it_lasts(seconds: float, said: int, text: str) -> None:
    audio = bytearray(wav_of(tone(seconds), 8000))
    struct.pack_into("<I", audio, 28, said)
    assert "plausible" in refusal(bytes(audio), request(text))


def test_a_wav_whose_samples_do_not_fill_its_blocks_is_refused() -> None:
    audio = bytearray(wav_of(tone(90), 8000))
    struct.pack_into("<H", audio, 32, 90)
    assert "blocks" in refusal(bytes(audio), request("Hello"))


@pytest.mark.parametrize(("coding", "bits"), [(0x1234, 16), (1, 12), (3, 16), (0x55, 16)])
def test_a_coding_of_wav_that_is_not_known_is_refused(coding: int, bits: int) -> None:
    noise = random.Random(1).randbytes(24_000)
    assert "is not known" in refusal(wav(coding, bits, noise), request())


def test_a_format_without_a_walker_is_told_by_its_first_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CONTENT_TYPES, "m4a", "audio/mp4")
    asked = request().completed(audio_format="m4a")
    box = Recording(audio=b"\0\0\0\x20ftypM4A " + bytes(400), duration_ms=4000)
    assert admit(box, asked).content_type == "audio/mp4"
    assert admit(Recording(audio=box.audio), asked).duration_ms is None
    assert "lasts" in refusal_of(Recording(audio=box.audio, duration_ms=10), asked)
    assert "octet-stream" in refusal_of(Recording(audio=bytes(400)), asked)


@pytest.mark.parametrize("audio_format", ["ulaw_8000", "alaw_8000"])
def test_samples_of_one_byte_have_no_container(
    audio_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request().completed(audio_format=audio_format, sample_rate=None)
    assert admit(Recording(audio=b"\xff\x10" * 16_000), asked).duration_ms == 4000
    assert "silent" in refusal_of(Recording(audio=b"\xff" * 32_000), asked)
    zeros = {"ulaw_8000": b"\xff\x7f", "alaw_8000": b"\xd5\x55"}[audio_format]
    assert "silent" in refusal_of(Recording(audio=zeros * 16_000), asked)
    assert "audio/wav" in refusal_of(Recording(audio=wav_of(tone(3), 8000)), asked)


@pytest.mark.parametrize(
    ("audio_format", "lead"), [("alaw_8000", b"U" * 800), ("ulaw_8000", b"}~~}" * 200)]
)
def test_soft_samples_that_look_like_words_are_samples(audio_format: str, lead: bytes) -> None:
    asked = request().completed(audio_format=audio_format, sample_rate=None)
    assert admit(Recording(audio=lead + b"\xff\x10" * 16_000), asked).duration_ms == 4100
    message = lead + b" ".join([SENTENCE.encode()] * 500)
    assert "plain text" in refusal_of(Recording(audio=message), asked)


def test_the_rate_of_bare_samples_may_stand_in_the_format() -> None:
    asked = request(audio_format="pcm").completed(audio_format="pcm_16000", sample_rate=None)
    assert admit(Recording(audio=tone(8)), asked).duration_ms == 4000
    asked = asked.completed(audio_format="pcm")
    assert admit(Recording(audio=tone(8)), asked).duration_ms is None


def test_the_refused_recording_is_in_no_message() -> None:
    recording = Recording(audio=b"<html>" + SENTENCE.encode(), cost=7)
    with pytest.raises(NotAudio) as caught:
        admit(recording, request())
    assert caught.value.recording is recording
    said = f"{caught.value} {caught.value!r} {caught.value.args}"
    assert "library" not in said
    assert "<html>" not in said


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
        ("[in a hurry, like an auctioneer in a film] Sold!", 0.6, {}),
        ("No" + "o" * 60 + "!", 1, {}),
    ],
)
def test_plausible_lengths_are_admitted(text: str, seconds: float, fields: dict[str, Any]) -> None:
    asked = request(text, **fields)
    assert admit(Recording(audio=wav_of(tone(seconds), 8000)), asked).duration_ms


@pytest.mark.parametrize(
    ("text", "seconds", "instructions", "admitted"),
    [
        (SENTENCE, 2, None, True),
        (SENTENCE, 1.8, None, False),
        (SENTENCE, 1.8, "Hurry!", True),
        ("[hurried] " + SENTENCE, 1.8, None, True),
        ("图书馆还有十五分钟就要关门了。", 1.3, None, True),
        ("图书馆还有十五分钟就要关门了。", 1.1, None, False),
    ],
)
def test_what_does_not_say_its_length_must_last_as_long_as_speech_usually_does(
    text: str, seconds: float, instructions: str | None, admitted: bool
) -> None:
    asked = request(text).completed(instructions=instructions)
    recording = Recording(audio=unsaid(tone(seconds - 0.1) + REST, 8000))
    if admitted:
        assert admit(recording, asked).duration_ms
    else:
        assert "plausible" in refusal_of(recording, asked)


@pytest.mark.parametrize(
    ("text", "seconds", "fields"),
    [
        (SENTENCE, 2.2, {}),
        (SENTENCE, 1.1, {"speed": 2}),
        (SENTENCE, 2.2, {"speed": 0.5}),  # which some voices pass over
        ("تغلق المكتبة أبوابها بعد خمس عشرة دقيقة.", 1.6, {}),
        ("图书馆还有十五分钟就要关门了。", 1.4, {}),
        (f"<speak><p>{SENTENCE}</p><break time='9s'/></speak>", 2.2, {"ssml": True}),
    ],
)
def test_an_end_in_full_voice_is_refused_where_the_whole_would_take_longer(
    text: str, seconds: float, fields: dict[str, Any]
) -> None:
    asked = request(text, **fields)

    def lasting(seconds: float, rest: bytes = b"") -> Recording:
        return Recording(audio=unsaid(tone(seconds - len(rest) / 16_000) + rest, 8000))

    assert "breaks off" in refusal_of(lasting(seconds), asked)
    assert admit(lasting(seconds, REST), asked).duration_ms
    assert admit(lasting(seconds * 1.2), asked).duration_ms


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (SENTENCE, {"instructions": "Hurry!"}),
        ("[hurried] " + SENTENCE, {}),
        (SENTENCE + " https://example.com/a/long/path/that/nobody/would/want/to/hear", {}),
        (SENTENCE + " Nooooooooooooooooooooooooooooooooooooooo!", {}),
        (SENTENCE + " <br class='a name that is not said'>", {}),
        (f"<speak><prosody rate='150%'>{SENTENCE}</prosody></speak>", {"ssml": True}),
        (f"<speak><sub alias='So.'>{SENTENCE}</sub></speak>", {"ssml": True}),
    ],
)
def test_an_end_in_full_voice_refuses_nothing_by_itself(text: str, fields: dict[str, Any]) -> None:
    asked = request(text, **fields)
    assert admit(Recording(audio=unsaid(tone(2.5), 8000)), asked).duration_ms


def test_what_is_made_here_of_a_whole_clip_is_not_cut() -> None:
    asked, audio = request(), unsaid(tone(1.5), 8000)
    assert "plausible" in refusal(audio, asked)
    assert admit(Recording(audio=audio, transcoded_from="f" * 64), asked).duration_ms == 1500


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("Hello", 90), (SENTENCE, 0.05), (SENTENCE, 0.5), ("word " * 180, 12), ("Oh", 0.01)],
)
def test_implausible_lengths_are_refused(text: str, seconds: float) -> None:
    assert "plausible" in refusal(wav_of(tone(seconds), 8000), request(text))


def unsaid(pcm: bytes, rate: int) -> bytes:
    """As those write WAV who send while they encode."""
    audio = bytearray(wav_of(pcm, rate))
    audio[4:8] = audio[40:44] = b"\xff" * 4
    return bytes(audio)


UNMARKED: dict[str, Callable[[bytes, int], bytes]] = {
    "wav with unsaid sizes": unsaid,
    "pcm": lambda pcm, _: pcm,
    "mp3 without Xing": lambda pcm, rate: tagged.without_xing(encoded(pcm, rate, "mp3")),
    "aac": lambda pcm, rate: encoded(pcm, rate, "aac"),
}
"""What says nowhere how long it is, as providers send it, by format."""


REFUSED_OF_20 = {"en": 12, "ru": 14, "el": 13, "ar": 10, "hi": 11, "cmn": 11, "ja": 17, "ko": 15}
"""Of clips of which two fifths came, at the least; the rest ends in a pause or is short. espeak's
clips differ by a little, depending on what it said before.
"""


def first_seconds(audio: bytes, seconds: float, rate: int, audio_format: str) -> bytes:
    """As many whole samples or frames of a clip."""
    if audio_format in {"mp3", "aac"}:
        return tagged.first_frames(audio, seconds, rate)
    return audio[: (44 if audio_format == "wav" else 0) + 2 * int(seconds * rate)]


def is_refused(audio: bytes, asked: SpeechRequest) -> bool:
    try:
        admit(Recording(audio=audio), asked)
    except NotAudio:
        return True
    return False


ODD = [
    "Oh no!!!", "Hm!", "I", "2026", "1234567890", "It was $4.50 on 3/5/2026, at 10:45.",
    "strengths", "See https://example.com/a/very/long/path/of/many/letters/index.html.",
    "😀😀😀 Hi 😀",
    "Dr. Smith, Ph.D., U.S.A., e.g., etc.", "(a) (b) (c); [x] {y} — “z”…", "NASA HTML CSS FBI USA",
    "aaaaaaaaaaaaahhhhhhhhh", "hahahahahahahahaha", "[laughs] Really?", "foo_bar = qux(1, 2)",
    "Wednesday's knights knew psychology, pneumonia and gnomes.", "<b>bold</b> and <i>not</i>",
    "Hello! 你好! こんにちは! 안녕! مرحبا! नमस्ते!", "<speak>Wait <break time='3s'/> here.</speak>",
    "<speak><p><s>One.</s><s>The library closes in fifteen minutes.</s></p></speak>",
    "<speak>The <prosody rate='fast'>quick brown fox jumps over</prosody> it.</speak>",
    "<speak><sub alias='World Wide Web Consortium'>W3C</sub>, <emphasis>now</emphasis>!</speak>",
]  # fmt: skip


class TestRealClips:
    """Every format, as providers send it: admitted whole, refused cut, silent or wrong."""

    @pytest.mark.parametrize("audio_format", FORMATS)
    def test_a_clip_is_admitted_with_its_length(self, audio_format: str) -> None:
        pcm, rate = spoken_by_espeak(SENTENCE)
        asked = format_request(audio_format, rate=rate)
        admitted = admit(Recording(audio=encoded(pcm, rate, audio_format)), asked)
        assert admitted.content_type == CONTENT_TYPES[audio_format]
        assert admitted.duration_ms == pytest.approx(len(pcm) * 500 / rate, abs=220)

    @pytest.mark.parametrize("audio_format", FORMATS)
    def test_silence_is_refused(self, audio_format: str) -> None:
        asked = format_request(audio_format)
        audio = encoded(bytes(2 * 22_050 * 3), 22_050, audio_format)
        assert "silent" in refusal(audio, asked)

    @pytest.mark.parametrize("audio_format", FORMATS)
    @pytest.mark.parametrize(
        ("seconds", "text"), [(0.05, SENTENCE), (30, "Hello")], ids=["too short", "too long"]
    )
    def test_an_implausible_length_is_refused(
        self, seconds: float, text: str, audio_format: str
    ) -> None:
        pcm = (tone(1) * 30)[: int(seconds * 16_000)]
        asked = format_request(audio_format, text, rate=8000)
        assert "plausible" in refusal(encoded(pcm, 8000, audio_format), asked)

    @pytest.mark.parametrize("audio_format", [name for name in FORMATS if name != "pcm"])
    @pytest.mark.parametrize("part", [0.1, 0.5, 0.98])
    def test_a_part_of_a_clip_is_refused(self, part: float, audio_format: str) -> None:
        audio = clip(SENTENCE, audio_format)
        why = refusal(audio[: int(len(audio) * part)], format_request(audio_format))
        assert "no whole" in why

    @pytest.mark.parametrize("language", TEXTS)
    def test_opus_whose_end_is_not_marked_is_told_from_half_of_it_by_its_length(
        self, language: str
    ) -> None:
        asked = format_request("opus", TEXTS[language])
        audio = clip(TEXTS[language], "opus", language)
        whole = tagged.with_unmarked_end(audio)
        admitted = admit(Recording(audio=whole), asked)
        assert admitted.duration_ms == admit(Recording(audio=audio), asked).duration_ms
        # Pages of a second; where a letter is a syllable, only a smaller part shows.
        part = 2 if language in {"en", "ru", "el"} else 8
        seconds = (admitted.duration_ms or 0) // 1000
        cut = tagged.with_unmarked_end(audio, 2 + seconds // part)
        assert "plausible" in refusal(cut, asked)

    def test_aac_behind_a_tag_is_aac(self) -> None:
        tag = b"ID3\x04\0\0\0\0\0\x05title"
        asked = format_request("aac")
        recording = admit(Recording(audio=tag + clip(SENTENCE, "aac")), asked)
        assert recording.content_type == "audio/aac"
        assert "audio/aac, not audio/mpeg" in refusal(
            tag + clip(SENTENCE, "aac"), format_request("mp3")
        )

    @pytest.mark.parametrize("language", TEXTS)
    @pytest.mark.parametrize("form", UNMARKED)
    def test_a_part_that_is_whole_in_itself_is_told_by_its_end_and_its_length(
        self, form: str, language: str
    ) -> None:
        """Nothing in these says how much there should be: `docs/providers.md` says so."""
        text = TEXTS[language][: 60 if language in {"cmn", "ja", "ko"} else 120]
        pcm, rate = spoken_by_espeak(text, language)
        audio_format = form.partition(" ")[0]
        asked = format_request(audio_format, text, rate=rate)
        whole = UNMARKED[form](pcm, rate)
        assert admit(Recording(audio=whole), asked).duration_ms
        nearly_half = 0.36 if language == "cmn" else 0.42  # its letters are few and long
        for part, why in ((0.1, "plausible"), (nearly_half, "")):
            seconds = in_full_voice(pcm, rate, part)
            assert why in refusal(first_seconds(whole, seconds, rate, audio_format), asked)

    @pytest.mark.untraced
    @pytest.mark.parametrize("language", TEXTS)
    def test_so_many_parts_are_refused_and_no_whole_clip(self, language: str) -> None:
        """Twenty of each script, of all lengths; `docs/providers.md` has more."""
        chance, text = random.Random(language), TEXTS[language]
        refused = 0
        for _ in range(20):
            length = min(len(text), chance.choice((20, 40, 60, 80, 120, 160, 300)))
            begin = text[: len(text) - length + 1].rfind(" ", 0, chance.randrange(len(text))) + 1
            said = text[begin : begin + length]
            pcm, rate = spoken_by_espeak(said, language)
            asked = format_request("pcm", said, rate=rate)
            assert admit(Recording(audio=pcm), asked).duration_ms
            refused += is_refused(pcm[: len(pcm) // 5 * 2], asked)
        assert refused >= REFUSED_OF_20[language]

    @pytest.mark.parametrize("form", UNMARKED)
    def test_a_part_that_ends_in_a_pause_is_admitted_at_a_possible_pace(self, form: str) -> None:
        """The one half that nothing shows."""
        text = TEXTS["en"][:120]
        pcm, rate = spoken_by_espeak(text)
        asked = format_request(form.partition(" ")[0], text, rate=rate)
        voiced = pcm[: 2 * int(in_full_voice(pcm, rate, 0.62) * rate)]
        audio = UNMARKED[form](voiced + bytes(rate // 5 * 2), rate)
        assert admit(Recording(audio=audio), asked).duration_ms

    @pytest.mark.parametrize("form", UNMARKED)
    def test_a_part_that_ends_within_a_frame_or_sample_is_refused(self, form: str) -> None:
        audio = UNMARKED[form](*spoken_by_espeak(SENTENCE))
        asked = format_request(form.partition(" ")[0])
        assert "no whole" in refusal(audio[:-3], asked)

    @pytest.mark.parametrize("part", [1, 0.1])
    def test_mp3_whose_frames_hold_noise_is_refused(self, part: float) -> None:
        audio = tagged.with_random_frames(clip(SENTENCE, "mp3"), part)
        assert "the decoder fails" in refusal(audio, format_request("mp3"))

    @pytest.mark.parametrize("audio_format", ["opus", "vorbis"])
    def test_ogg_that_says_to_be_shorter_than_it_is_is_refused(self, audio_format: str) -> None:
        pcm, rate = spoken_by_espeak(SENTENCE)
        audio = tagged.with_time(encoded(pcm * 5, rate, audio_format), 1 / 11)
        assert "no whole audio/ogg" in refusal(audio, format_request(audio_format, "Hello"))

    def test_flac_of_unknown_length_is_told_from_half_of_it_by_its_length(self) -> None:
        audio = tagged.with_unknown_length(clip(TEXTS["en"], "flac"))
        asked = format_request("flac", TEXTS["en"])
        assert admit(Recording(audio=audio), asked).duration_ms
        half = tagged.first_flac_frames(audio, 0.4)
        assert "plausible" in refusal(half, asked)

    @pytest.mark.parametrize("given", FORMATS)
    @pytest.mark.parametrize("asked", FORMATS)
    def test_another_format_than_asked_for_is_refused(self, asked: str, given: str) -> None:
        if asked != given:
            assert refusal(clip(SENTENCE, given), format_request(asked))

    @pytest.mark.parametrize(
        ("asked", "given", "rate", "why"),
        [
            ("wav_44100", "wav", 8000, "8000 samples a second, not 44100"),
            ("wav_44100", "wav", 44_100, ""),
            ("mp3_44100_128", "mp3", 22_050, "22050 samples a second, not 44100"),
            ("mp3_44100_128", "mp3", 44_100, ""),
            ("flac_48000", "flac", 16_000, "16000 samples a second, not 48000"),
            ("opus_24000", "opus", 22_050, ""),  # it has 48,000 always
        ],
    )
    def test_a_rate_that_the_format_names_is_that_of_the_sound(
        self, asked: str, given: str, rate: int, why: str
    ) -> None:
        audio = encoded(tone(1) * 8, rate, given)
        judged = format_request(asked, "Good morning")
        if why:
            assert why in refusal(audio, judged)
        else:
            assert admit(Recording(audio=audio), judged).duration_ms

    @pytest.mark.parametrize("asked", ["wav_8000", "wav_8000_ulaw", "wav_alaw", "wav_mulaw"])
    @pytest.mark.parametrize(("coding", "bits"), [(1, 16), (3, 32), (6, 8), (7, 8)])
    def test_a_coding_that_the_format_names_is_that_of_the_sound(
        self, asked: str, coding: int, bits: int
    ) -> None:
        audio = wav(coding, bits, LOUD[coding] * 16_000)
        named = {"wav_8000_ulaw": {7}, "wav_alaw": {6}, "wav_mulaw": {7}}.get(asked, {1, 3})
        if coding in named:
            assert admit(Recording(audio=audio), format_request(asked)).duration_ms == 4000
        else:
            assert "the answer is" in refusal(audio, format_request(asked))

    def test_vorbis_is_not_opus(self) -> None:
        audio = clip(SENTENCE, "vorbis")
        assert "the answer is vorbis, not opus" in refusal(audio, format_request("opus"))

    @pytest.mark.parametrize("audio_format", FORMATS)
    @pytest.mark.parametrize(
        "body",
        [b"", b'{"error": {"message": "no"}}', b"<html><body>Sign in</body></html>", b"OK\n"],
        ids=["empty", "JSON", "HTML", "words"],
    )
    def test_a_message_is_refused(self, body: bytes, audio_format: str) -> None:
        recording = Recording(audio=body, content_type=CONTENT_TYPES[audio_format])
        assert "the answer is" in refusal_of(recording, format_request(audio_format))

    def test_frames_that_hold_no_sound_are_refused(self) -> None:
        head, *_ = clip(SENTENCE, "mp3").partition(b"\xff\xf3")
        empty = head + (bytes.fromhex("fff384c4") + b"\x55" * 400) * 200
        assert refusal(empty, format_request("mp3"))

    @pytest.mark.parametrize("audio_format", ["mp3", "opus", "aac", "flac"])
    def test_without_the_extra_the_walk_alone_decides(
        self, audio_format: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(admission, "can_decode", lambda: False)
        audio, asked = clip(SENTENCE, audio_format), format_request(audio_format)
        assert admit(Recording(audio=audio), asked).duration_ms
        assert "no whole" in refusal(audio[: len(audio) // 2], asked)

    def test_a_decoder_that_gives_less_than_the_container_says_has_the_last_word(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(admission, "decode", lambda *_: Decoded(900, 900, False, True))
        assert "900 of" in refusal(clip(SENTENCE, "mp3"), format_request("mp3"))

    @pytest.mark.untraced
    @pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.soak)])
    @pytest.mark.parametrize("language", TEXTS)
    def test_no_false_refusal(self, language: str, step: int) -> None:
        """From one character to 300; with a step of 1 it is 66 clips a script, 528 in all.

        The encoders take longest for the long ones: each of these is in every second format here,
        and the next one in the others.
        """
        chance, text = random.Random(language), TEXTS[language]
        lengths = (1, 1, 2, 3, 5, 8, 13, 25, 50, 100, 300)
        for turn, length in enumerate(lengths, list(TEXTS).index(language)):
            # From the beginning of a word: a mark alone is rightly silent.
            begins = [at for at in range(len(text)) if text[at].isalpha()]
            begin = chance.choice([at for at in begins if at + length <= len(text)] or [0])
            said = text[begin : begin + length]
            pcm, rate = spoken_by_espeak(said, language)
            for audio_format in FORMATS[turn % step :: step] if length >= 50 else FORMATS:
                audio = encoded(pcm, rate, audio_format)
                asked = format_request(audio_format, said, rate=rate)
                assert admit(Recording(audio=audio), asked).duration_ms


@pytest.mark.parametrize("speed", [0.46, 1, 4])
def test_odd_texts_are_no_false_refusal_at_any_speed(speed: float) -> None:
    """Their end is not marked, so that their pace counts."""
    provider = EspeakProvider(TTSConfig())
    for text in ODD:
        asked = SpeechRequest(text, audio_format="pcm", speed=speed, ssml=text.startswith("<speak"))
        asked = provider.complete(asked)
        assert admit(provider.synthesize(asked.spoken(), Deadline.after(20)), asked).duration_ms


@pytest.mark.parametrize("speed", [0.25, 1, 4])
@pytest.mark.parametrize("audio_format", ["wav", "pcm"])
def test_the_tones_of_tests_are_no_false_refusal(audio_format: str, speed: float) -> None:
    for text in (*TEXTS.values(), *ODD, "我"):
        asked = request(text, audio_format, speed=speed)
        assert admit(Recording(audio=spoken(asked)), asked).duration_ms


def format_request(
    audio_format: str, text: str = SENTENCE, rate: int | None = None
) -> SpeechRequest:
    return request(text).completed(audio_format=audio_format, sample_rate=rate or 22_050)


@pytest.mark.parametrize(
    ("text", "seconds", "admitted"),
    [
        ("<speak>Wait <break time='60s'/> here.</speak>", 62, True),
        ("<speak>Wait <break time='500ms'/> here.</speak>", 200, False),
        ("<speak><prosody rate='x-slow'>Careful now.</prosody></speak>", 9, True),
        (f"<speak><prosody rate='200%'>{SENTENCE}</prosody></speak>", 1.2, True),
        (f"<speak>{SENTENCE}</speak>", 0.05, False),
        ("<speak><audio src='https://example.com/jingle.mp3'/></speak>", 300, True),
        ("<speak><sub alias='World Wide Web Consortium'>W3C</sub></speak>", 3, True),
        ("<speak>" + "<" * 50_000, 5, True),
        ("<speak>" + "<!--" * 50_000, 5, True),
        (f"<speak><!-- {'<p>no longer said</p> ' * 40}-->Good morning.</speak>", 1.2, True),
        ("<speak><!-- <break time='300s'/> -->Good morning.</speak>", 200, False),
    ],
)
def test_ssml_has_the_bounds_of_its_text_and_pauses(
    text: str, seconds: float, admitted: bool
) -> None:
    least, most = bounds(text, 1.0, ssml=True)
    assert (least <= seconds <= most) is admitted


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=3000), st.sampled_from(FORMATS), st.booleans())
def test_admission_raises_nothing_but_its_refusal(
    noise: bytes, audio_format: str, headed: bool
) -> None:
    audio = wav_of(tone(3), 8000)[:40] + noise if headed else noise
    judge(audio, audio_format)


@pytest.mark.untraced
@settings(deadline=None, max_examples=60)
@given(st.data())
@pytest.mark.parametrize("audio_format", FORMATS)
def test_answers_that_were_real_clips_once(audio_format: str, data: st.DataObject) -> None:
    """Mutated, truncated, joined: refused or admitted, in time, and no other error."""
    sources = [clip(text, name) for text in ("Hello!", SENTENCE) for name in FORMATS]
    audio = bytearray(data.draw(st.sampled_from([clip(SENTENCE, audio_format), *with_tags()])))
    for _ in range(data.draw(st.integers(0, 8))):
        audio[data.draw(st.integers(0, len(audio) - 1))] = data.draw(st.integers(0, 255))
    begin, end = sorted(data.draw(st.lists(st.integers(0, len(audio)), min_size=2, max_size=2)))
    cuts = [bytes(audio), bytes(audio)[begin:], bytes(audio)[:end], bytes(audio)[begin:end]]
    parts = [data.draw(st.sampled_from(cuts))]
    parts += data.draw(st.lists(st.sampled_from(sources), max_size=2))
    judge(b"".join(parts), audio_format)


@cache
def with_tags() -> list[bytes]:
    mp3, flac, opus, vorbis = (clip(SENTENCE, name) for name in ("mp3", "flac", "opus", "vorbis"))
    ogg = [tagged.with_ogg_comments(audio, 3000) for audio in (opus, vorbis)]
    return [tagged.with_id3_frames(mp3, 3000), tagged.with_flac_comments(flac, 3000), *ogg]


def judge(audio: bytes, audio_format: str, text: str = SENTENCE) -> None:
    """Only NotAudio, and at most 100 ms for a MiB: what is smaller counts as one."""
    asked = format_request(audio_format, text)
    import_decoders()
    with untraced():
        started = time.thread_time()
        with contextlib.suppress(NotAudio):
            admit(Recording(audio=audio), asked, Habits())
        seconds = time.thread_time() - started
    assert seconds < 0.1 * max(1.0, len(audio) / 2**20)


@cache
def import_decoders() -> None:
    """The first admission imports them; which is not a matter of its bytes."""
    admit(Recording(audio=clip(SENTENCE, "mp3")), format_request("mp3", SENTENCE))


ADTS = (0xFFF15840 << 24 | 8 << 13 | 0x7FF << 2).to_bytes(7, "big") + b"\0"
MP3 = bytes.fromhex("fff314c0") + bytes(20)
PAGE = b"OggS\0\0" + bytes(20) + b"\0"


def unsaid_law(data: bytes) -> bytes:
    audio = bytearray(wav(6, 8, data))
    audio[4:8] = audio[40:44] = b"\xff" * 4
    return bytes(audio)


HEAVY: dict[str, tuple[str, bytes | None]] = {
    "sound": ("wav", wav_of(tone(120), 8000)),
    "chunks": ("wav", b"RIFF\xff\xff\xff\xffWAVE" + b"junk\0\0\0\0" * 200_000),
    "silence": ("wav", wav_of(bytes(2_000_000), 8000)),
    "words": ("wav", b"{" * 2_000_000),
    "samples": ("pcm", tone(120)),
    "small mp3 frames": ("mp3", MP3 * 60_000),
    "mp3 frames and tags": ("mp3", (MP3 + b"ID3\4" + bytes(6)) * 40_000),
    "small aac frames": ("aac", ADTS * 150_000),
    "small pages": ("opus", PAGE * 50_000),
    "samples that break off": ("pcm", tone(200)),
    "A-law that breaks off": ("wav", unsaid_law(b"\x25\xa5" * 800_000)),
    "mp3 that breaks off": ("mp3", sound("mp3", 200, "")),
    "aac that breaks off": ("aac", sound("aac", 200, "")),
    "flac headers": ("flac", b"fLaC\x80\0\0\x22" + b"\xff\xf8\xc5\x08" * 300_000),
}


@pytest.mark.parametrize("name", HEAVY)
def test_admission_takes_at_most_a_tenth_of_a_second_for_a_mebibyte(name: str) -> None:
    audio_format, audio = HEAVY[name]
    assert audio
    judge(audio, audio_format, "word " * 1000)


@pytest.mark.parametrize(
    ("audio_format", "tag"),
    [
        ("mp3", lambda clip: tagged.with_id3_frames(clip, 30_000)),
        ("mp3", lambda clip: tagged.with_packed_title(clip, 32)),
        ("flac", lambda clip: tagged.with_flac_comments(clip, 15_000)),
        ("opus", lambda clip: tagged.with_ogg_comments(clip, 15_000)),
    ],
    ids=["mp3 with 30,000 texts", "mp3 with 32 MiB of title", "flac", "opus"],
)
def test_what_is_beside_the_sound_costs_no_time(
    audio_format: str, tag: Callable[[bytes], bytes]
) -> None:
    audio, asked = tag(clip(SENTENCE, audio_format)), format_request(audio_format)
    assert admit(Recording(audio=audio), asked).duration_ms
    judge(audio, audio_format)


@pytest.mark.untraced
@pytest.mark.parametrize("audio_format", FORMATS)
def test_long_clips_are_judged_as_fast(audio_format: str) -> None:
    pcm, rate = spoken_by_espeak(TEXTS["en"])
    judge(encoded(pcm * 6, rate, audio_format), audio_format, TEXTS["en"] * 6)
