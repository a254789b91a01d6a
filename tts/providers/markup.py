"""A vendor that is sent SSML, given or built here, and that cuts a long sound off."""

from __future__ import annotations

import sys
import unicodedata
from typing import ClassVar, Final

from tts import ssml
from tts.exceptions import InvalidSpeechRequest
from tts.formats import codec_of
from tts.prices import CHARACTERS
from tts.providers import fields
from tts.providers.http import HttpProvider
from tts.speech import SpeechRequest

MAX_SECONDS: Final = 600
"""Azure and Polly cut the sound there, answer 200, and bill all of the text."""
SLOW: Final = 10
SLOW_WIDE: Final = 4
"""Characters a second of a slow voice; wide are those of Chinese, Japanese and Korean."""


class MarkupProvider(HttpProvider):
    """Text without what XML cannot hold; SSML checked, and its tags counted apart."""

    takes_ssml = True
    max_document: ClassVar[int]
    """Characters of SSML with its tags."""

    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """See Provider. How long the sound will be depends on the speed."""
        complete = super().complete(request)
        if complete is request:
            return request
        if complete.ssml and complete.speed != 1:
            raise InvalidSpeechRequest("speed", "must be 1 with SSML: say it there")
        # Pauses and rates in SSML are left to its author.
        seconds = _seconds(complete.text, is_ssml=complete.ssml)
        if seconds > MAX_SECONDS * (complete.speed or 1):
            raise InvalidSpeechRequest(
                "text", f"must be shorter: {self.name} cuts the sound after {MAX_SECONDS} s"
            )
        return complete

    def complete_text(self, request: SpeechRequest) -> str:
        """The text as it is sent, so that the key is of that."""
        text = fields.text(request.text, sys.maxsize, CHARACTERS)
        if request.ssml is not True:
            return fields.text(ssml.without_controls(text), self.max_text, CHARACTERS)
        fields.text(text, self.max_document, CHARACTERS)
        self.check_document(ssml.read(text))
        return text

    def complete_format(self, request: SpeechRequest) -> str:
        """A name of the list, or a codec alone: the first name that has it."""
        given = request.audio_format or self.config.format
        first = {codec_of(name): name for name in reversed(self.formats)}
        return (isinstance(given, str) and first.get(given)) or super().complete_format(request)

    def check_document(self, document: ssml.Document) -> None:
        """Raise InvalidSpeechRequest for SSML that the vendor would refuse."""
        size = len(document.spoken)
        if size > self.max_text:
            raise InvalidSpeechRequest(
                "text", f"must have at most {self.max_text} characters beside its tags, not {size}"
            )


def _seconds(text: str, *, is_ssml: bool) -> float:
    """What a slow voice takes at its normal speed."""
    spoken = ssml.read(text).spoken if is_ssml else text
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in spoken)
    return (len(spoken) - wide) / SLOW + wide / SLOW_WIDE
