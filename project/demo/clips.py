"""The clips as files that any player takes: clips/de/bitte-ein-gültiges-datum-eingeben.wav."""

from __future__ import annotations

import sys
import wave
from array import array
from pathlib import Path
from typing import Final, NamedTuple

from django.utils.text import slugify

from project.demo.phrases import Phrase
from tts.speech import Speech

SLUG: Final = 60
"""Characters of a file's name at most."""
AUDIBLE: Final = 1000
"""Peak to peak of 16-bit samples."""


class Heard(NamedTuple):
    """What a player would find."""

    seconds: float
    audible: bool
    """Whole, and not silent."""


class Clips:
    """Writes each answer that it hears into a folder for its language."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[Path] = []

    def keep(self, phrase: Phrase, speech: Speech) -> None:
        """Write the audio. Raises OSError."""
        path = self._free(self.folder / phrase.language, _name(phrase))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(speech.audio)
        self.files.append(path)

    def listen(self) -> Heard:
        """What is on disk, read back."""
        heard = list(map(_listen, self.files))
        return Heard(sum(one.seconds for one in heard), all(one.audible for one in heard))

    def _free(self, folder: Path, name: str) -> Path:
        """Two phrases may differ in their punctuation alone."""
        path, number = folder / f"{name}.wav", 1
        while path in self.files:
            number += 1
            path = folder / f"{name}-{number}.wav"
        return path


def _name(phrase: Phrase) -> str:
    """Whole words of the phrase, and the voice where one was asked for."""
    slug = slugify(phrase.text, allow_unicode=True)
    short = slug if len(slug) <= SLUG else slug[:SLUG].rpartition("-")[0]
    return f"{short}--{phrase.voice}" if phrase.voice else short


def _listen(path: Path) -> Heard:
    try:
        with wave.open(str(path)) as clip:
            frames, rate = clip.getnframes(), clip.getframerate()
            samples = array("h", clip.readframes(frames))
    except (wave.Error, EOFError):
        return Heard(0, audible=False)
    if sys.byteorder == "big":
        samples.byteswap()
    whole = 0 < frames == len(samples)
    return Heard(frames / rate, audible=whole and max(samples) - min(samples) >= AUDIBLE)
