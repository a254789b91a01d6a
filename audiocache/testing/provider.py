"""A provider that is quick, costs nothing and never says no, for `tts`.

This package does not know `tts`: what it needs of it is imported by name, where it is there.
"""

from __future__ import annotations

import dataclasses
import types
import unicodedata
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from audiocache.entries import Recording
from audiocache.testing.calls import SpeechCalls
from audiocache.testing.sounds import CODECS, RATE, sound

if TYPE_CHECKING:
    from tts.conf import TTSConfig
    from tts.deadline import Deadline
    from tts.providers.base import Provider
    from tts.speech import SpeechRequest

    Base = Provider
else:
    Base = object

LETTERS_A_SECOND: Final = 10
"""Plausible for any text: a syllable counts as two letters."""
SHORTEST: Final = 0.1
"""Seconds."""


class StandInProvider(Base):
    """Takes any voice, model, language, option and common format; any speed from 0.1 to 10."""

    name = "test"
    remote = False
    formats = CODECS
    default_format = "wav"
    native_format = "wav"
    max_text = 1_000_000
    speeds = (0.1, 10)
    sample_rates = (RATE, 11025, 16000, 22050, 24000, 32000, 44100, 48000)
    takes_ssml = True
    max_instructions = 1_000_000

    def __init__(self, config: TTSConfig, calls: Callable[[], SpeechCalls]) -> None:
        # Its label may have details behind the codec, as in mp3_44100_128.
        super().__init__(dataclasses.replace(config, format=None))
        self._format = config.format
        self._calls = calls

    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """The request with every field filled; what has no default here stays None."""
        if request.is_complete and request.provider == self.name:
            return request
        label = request.audio_format or self._format or self.default_format
        codec = str(label).partition("_")[0]
        wish = dataclasses.replace(request, provider=None, audio_format=codec)
        return super().complete(wish).completed(audio_format=label)

    def speaks(self, audio_format: str) -> bool:
        """Whatever stands behind the codec."""
        return audio_format.partition("_")[0] in self.formats

    def promised(self, request: SpeechRequest) -> SpeechRequest:
        """The codec: of the details behind it the sound is free."""
        codec = (request.audio_format or "").partition("_")[0]
        return request.completed(audio_format=codec)

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """Any option, whatever its name."""
        return {**self.config.options, **request.options}

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:  # noqa: ARG002 - the base's signature
        """The answer of the script; without one, a sound as long as the text needs."""
        answer = self._calls().answer(request)
        if answer is not None:
            return Recording(audio=answer, billed_units=len(request.text), cost=0)
        codec = (request.audio_format or self.default_format).partition("_")[0]
        seconds = _seconds(request)
        audio = sound(codec, seconds, _seed(request), request.sample_rate or RATE)
        return Recording(
            audio=audio or b"",
            duration_ms=round(seconds * 1000),
            billed_units=len(request.text),
            cost=0,
        )


def _seconds(request: SpeechRequest) -> float:
    spoken = sum(map(_letters, request.text))
    return max(SHORTEST, spoken / LETTERS_A_SECOND / max(1.0, request.speed or 1.0))


def _letters(character: str) -> int:
    """That a character counts as: one that knows no cases is a syllable in most scripts."""
    return 2 if unicodedata.category(character) == "Lo" else not character.isspace()


def _seed(request: SpeechRequest) -> str:
    """What tells sounds apart. Not the format: renditions of one text sound the same."""
    return repr([request.text, *sorted(request.source_variant.items())])


def provider_for(config: TTSConfig, calls: Callable[[], SpeechCalls]) -> Provider:
    """A Provider of `tts` that notes its calls in what `calls()` gives at that moment."""
    base = import_module("tts.providers.base").Provider
    made: Callable[..., Any] = types.new_class("StandInProvider", (StandInProvider, base))
    return cast("Provider", made(config, calls))
