"""Tones for words: deterministic, in pure Python, for tests and for trying things out."""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from functools import lru_cache
from typing import Any, ClassVar, Final
from zlib import crc32

from audiocache.entries import Recording
from tts.deadline import Deadline
from tts.exceptions import ProviderTimeout
from tts.formats import codec_of, content_type_of
from tts.providers import fields
from tts.providers.base import Provider, Voice
from tts.speech import SpeechRequest, WordTiming, timings_to_json
from tts.wav import wav_of

SAMPLE_RATE: Final = 8000
SECONDS_PER_CHARACTER: Final = 0.06
CHARACTERS_PER_SYLLABLE: Final = 3
"""What a letter counts that knows no cases: most of those are syllables, and take as long."""
LOUDNESS: Final = 8000
"""Amplitude of 16-bit samples."""

FURTHEST: Final = 1000
"""Of `transpose`: it is a number like any other, and changes each word's pitch."""

_VOICES: Final = {"alto": 350, "bass": 90, "soprano": 520, "tenor": 180}
"""Lowest frequency in Hz; a word's own lies within one octave above."""
_WORD: Final = re.compile(r"\S+")


class ToneProvider(Provider):
    """One tone for each word, as long as the word, of a pitch that the word decides."""

    name = "tone"
    remote = False
    formats: ClassVar[tuple[str, ...]] = ("wav", "pcm")
    default_format = "wav"
    native_format = "wav"
    max_text = 10_000
    default_voice = "alto"
    default_language = "en"
    speeds = (0.25, 4)
    sample_rates = (SAMPLE_RATE,)
    takes_ssml = True
    max_instructions = 4096
    default_options: ClassVar[dict[str, int]] = {"transpose": 0}

    def voices(self) -> list[Voice]:
        """Four, by their pitch."""
        return [Voice(id=name, name=name.title()) for name in _VOICES]

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """With a whole number to transpose by."""
        chosen = super().complete_options(request)["transpose"]
        return {"transpose": fields.whole("options.transpose", chosen, -FURTHEST, FURTHEST)}

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """A tone for each word, a rest after it."""
        if deadline.passed():
            raise ProviderTimeout("there was no time left", provider=self.name)
        pcm, timings = _play(request)
        audio = pcm if codec_of(request.audio_format or "") == "pcm" else wav_of(pcm, SAMPLE_RATE)
        return Recording(
            audio=audio,
            content_type=content_type_of(request.audio_format or ""),
            duration_ms=len(pcm) * 500 // SAMPLE_RATE,
            timings=timings_to_json(timings),
            billed_units=len(request.text),
        )


def _play(request: SpeechRequest) -> tuple[bytes, list[WordTiming]]:
    pace = SAMPLE_RATE * SECONDS_PER_CHARACTER / (request.speed or 1)
    # What decides the sound beside the words; `transpose` is one of the options.
    salt = f"{request.model}|{request.language}|{request.instructions}|{request.options}"
    parts, timings, samples = [], [], 0
    for word in _WORD.finditer(request.text):
        length = word.end() - word.start()
        timings.append(WordTiming(samples / SAMPLE_RATE, word.start(), length))
        cycle = _cycle(_frequency(word.group() + salt, request.voice or ""))
        tone = cycle * (int(_long(word.group()) * pace) * 2 // len(cycle) + 1)
        parts += [tone, bytes(2 * int(pace))]
        samples += len(tone) // 2 + int(pace)
    return b"".join(parts), timings


def _long(word: str) -> int:
    """In characters."""
    syllables = sum(unicodedata.category(letter) == "Lo" for letter in word)
    return len(word) + (CHARACTERS_PER_SYLLABLE - 1) * syllables


def _frequency(word: str, voice: str) -> int:
    """Hz."""
    low = _VOICES[voice]
    return low + crc32(word.encode()) % low


@lru_cache(maxsize=1024)
def _cycle(frequency: int) -> bytes:
    """One period of a sine as 16-bit samples."""
    length = SAMPLE_RATE // frequency
    wave = (math.sin(2 * math.pi * step / length) for step in range(length))
    return array("h", [round(LOUDNESS * height) for height in wave]).tobytes()
