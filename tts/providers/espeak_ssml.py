"""The SSML that espeak-ng is given: written anew, of what it is known to survive.

The library parses SSML by itself, without bounds: a say-as around an emoji, or a tag that
does not end, kills the process. What it has no sound for is refused, or becomes its text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tts import ssml
from tts.exceptions import InvalidSpeechRequest

MAX_DEPTH: Final = 16
"""Elements within each other; the library keeps their voices and paces on short stacks."""
MAX_PAUSE_MS: Final = 60_000

_KEPT: Final = {
    "speak": {"xml:lang"},
    "p": {"xml:lang"},
    "s": {"xml:lang"},
    "voice": {"xml:lang", "name", "gender", "age", "variant"},
    "prosody": {"rate", "pitch", "range", "volume"},
    "emphasis": {"level"},
    "break": {"time", "strength"},
}
"""Elements that are handed on, and those of their attributes that are."""
_NAMES: Final = {"paragraph": "p", "sentence": "s", "lang": "voice"}
"""What others call them."""
_WITHOUT_SOUND: Final = re.compile(
    r"version|xmlns(:.*)?|xsi:.*|xml:(base|id|space)|id|onlangfailure"
)
"""Attributes that are left out."""
_UNSPOKEN: Final = {"meta", "metadata", "lexicon", "desc"}
"""Elements that are left out, with what is in them."""
_TEXT_ALONE: Final = {"audio", "mark", "phoneme", "say-as", "sub", "token", "w"}
"""Elements of which the text is spoken: an alternative, an alias, a word."""
_SPELT: Final = {"characters", "spell-out", "digits"}
"""Values of interpret-as that mean one character after the other."""

_VOICES: Final = {"xml:lang": "language", "name": "voice"}
"""The field that each is, by attribute."""
_NUMBER: Final = r"(?:\d{1,3}(?:\.\d{1,3})?|\.\d{1,3})"
_VALUE: Final = re.compile(rf"[+-]?{_NUMBER}(%|st|dB|Hz)?|[a-z]{{1,10}}(-[a-z]{{1,10}})?")
_PAUSE: Final = re.compile(r"(\d{1,5}(?:\.\d{1,3})?|\.\d{1,3})(ms|s)")

VoiceOf = Callable[[str, str], str]
"""The voice of a name or a language: `(field, name)`. Raises InvalidSpeechRequest."""


def rewritten(text: str, voice_of: VoiceOf) -> str:
    """The document for the library.

    Raises InvalidSpeechRequest, which names the element and what it may be.
    """
    writer = _Writer(voice_of)
    writer.read(text)
    return "".join(writer.spoken)


class _Writer(ssml.Reader):
    """Writes while it reads."""

    def __init__(self, voice_of: VoiceOf) -> None:
        super().__init__()
        self._voice_of = voice_of
        self._depth = 0
        self._muted = 0
        """Depth of the `sub` whose alias was spoken instead of what is in it; 0: of none."""
        self._spelt = 0
        """Depth of the `say-as` that is spelt; 0: of none."""

    def begun(self, name: str, attributes: Mapping[str, str], /) -> None:
        """Hand on, speak as text, or refuse."""
        super().begun(name, attributes)
        name = _NAMES.get(name, name)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refused(f"have at most {MAX_DEPTH} elements within each other")
        if name in _KEPT:
            end = "/>" if name == "break" else ">"
            self._write(f"<{name}{''.join(self._attributes(name, attributes))}{end}")
        elif name in _TEXT_ALONE:
            self._begin_text(name, attributes)
        elif name in _UNSPOKEN:
            self._muted = self._muted or self._depth
        else:
            raise _refused(f"have no <{name[:30]}>; espeak speaks {', '.join(_KEPT)}")

    def text(self, text: str) -> None:
        """Speak it, or spell it."""
        self._write(ssml.escaped(" ".join(text) if self._spelt else text))

    def ended(self, name: str) -> None:
        """Close what was handed on."""
        name = _NAMES.get(name, name)
        if name in _KEPT and name != "break":
            self._write(f"</{name}>")
        self._muted = 0 if self._muted == self._depth else self._muted
        self._spelt = 0 if self._spelt == self._depth else self._spelt
        self._depth -= 1

    def _write(self, markup: str) -> None:
        if not self._muted:
            self.spoken.append(markup)

    def _begin_text(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sub" and not self._muted:
            self.text(attributes.get("alias", ""))
            self._muted = self._depth
        if attributes.get("interpret-as") in _SPELT:
            self._spelt = self._spelt or self._depth

    def _attributes(self, name: str, attributes: Mapping[str, str]) -> Iterator[str]:
        for attribute in attributes:
            if attribute not in _KEPT[name] and not _WITHOUT_SOUND.fullmatch(attribute):
                raise _refused(f"have no {attribute[:30]} in <{name}>")
        for attribute in sorted(attributes.keys() & _KEPT[name]):
            yield f' {attribute}="{self._checked(attribute, attributes[attribute])}"'

    def _checked(self, attribute: str, value: str) -> str:
        if attribute in _VOICES:
            return self._voice_of(_VOICES[attribute], value)
        if attribute == "time":
            return f"{_pause_ms(value)}ms"
        if not _VALUE.fullmatch(value):
            raise _refused(f"have a number or a word as {attribute}")
        return value


def _pause_ms(value: str) -> int:
    found = _PAUSE.fullmatch(value)
    ms = float(found[1]) * (1000 if found[2] == "s" else 1) if found else math.inf
    if ms > MAX_PAUSE_MS:
        raise _refused(f"have a time from 0ms to {MAX_PAUSE_MS}ms in <break>")
    return round(ms)


def _refused(limit: str) -> InvalidSpeechRequest:
    return InvalidSpeechRequest("text", f"must, as SSML, {limit}")
