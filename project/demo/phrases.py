"""What is spoken: Django's messages in five languages, and the phrases of a voice assistant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from project.demo.catalogues import sentences
from tts.speech import SpeechRequest

FOLDER: Final = Path(__file__).resolve().parent.parent / "phrases"
LOCALES: Final = {"de": "de", "es": "es", "fr": "fr", "pl": "pl", "pt_BR": "pt-br"}
"""Language of the voice by the name of Django's locale."""
PER_LOCALE: Final = 60
ENGLISH: Final = "en-us"
VOICES: Final = ("en-gb", "en-us+f3")


class Phrase(NamedTuple):
    """A text and who is to speak it."""

    text: str
    language: str
    voice: str | None = None

    def request(self) -> SpeechRequest:
        """For the service."""
        return SpeechRequest(self.text, language=self.language, voice=self.voice)


class Script(NamedTuple):
    """All phrases of a run, by the part they play."""

    usual: list[Phrase]
    brief: list[Phrase]
    """Live for two seconds."""
    voiced: list[Phrase]
    """One text, once for each voice."""

    @classmethod
    def of(cls, number: int | None = None) -> Self:
        """At most `number` phrases of each language; None: 60, and all of the assistant."""
        usual = _english("voice_assistant", number)
        for locale, language in LOCALES.items():
            texts = _spread(sentences(locale), number or PER_LOCALE)
            usual += [Phrase(text, language) for text in texts]
        [greeting] = _lines("two_voices")
        voiced = [Phrase(greeting, ENGLISH, voice) for voice in VOICES]
        return cls(usual, _english("short_lived", number), voiced)


def _english(name: str, number: int | None) -> list[Phrase]:
    texts = _lines(name)
    return [Phrase(text, ENGLISH) for text in _spread(texts, number or len(texts))]


def _lines(name: str) -> list[str]:
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _spread(texts: Sequence[str], number: int) -> list[str]:
    """So many of them, taken evenly from the whole list."""
    taken = min(number, len(texts))
    return [texts[index * len(texts) // taken] for index in range(taken)]
