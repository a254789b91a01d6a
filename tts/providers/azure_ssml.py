"""The SSML that Azure speaks: built around plain text, and what is counted of it."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from tts import ssml
from tts.providers import fields
from tts.providers.locales import locale_of
from tts.speech import SpeechRequest

NAMESPACES: Final = {
    "version": "1.0",
    "xmlns": "http://www.w3.org/2001/10/synthesis",
    "xmlns:mstts": "https://www.w3.org/2001/mstts",
}

NO_OPTIONS: Final[dict[str, Any]] = {
    "style": None,
    "style_degree": 1,
    "role": None,
    "pitch": 0,
    "volume": 100,
    "effect": None,
}
"""The voice as it is.

style (cheerful, sad, ...), its degree from 0.01 to 2, and role (Girl, OlderAdultMale, ...)
are the voice's own; pitch is in percent of change, -50 to 50; volume is 1 to 100; effect is
eq_car or eq_telecomhp8k.
"""

_NUMBERS: Final = {"style_degree": (0.01, 2), "pitch": (-50, 50), "volume": (1, 100)}

# Quoted values may hold a `>`.
_VOICES: Final = re.compile(
    r"""<voice(?=[\s>])(?:[^>"']|"[^"]*"|'[^']*')*>(.*?)</voice\s*>""", re.DOTALL
)


def check_option(name: str, value: object) -> object:
    """The value of an option within what Azure takes."""
    if name in _NUMBERS:
        return fields.number(f"options.{name}", value, *_NUMBERS[name])
    return fields.word(f"options.{name}", value)


def document(request: SpeechRequest) -> str:
    """The SSML of a complete request with its text normalised; SSML given is sent as it is."""
    return request.text if request.ssml else _around(ssml.escaped(request.text), request)


def billed(request: SpeechRequest) -> int:
    """Characters that Azure bills for such a request: an estimate, as no answer says.

    Those within the voices, markup too, and each ideograph twice: the published rule, and a
    published bill (480 for twelve times `<prosody rate="-10.00%">about </prosody>`).
    """
    if request.ssml:
        return sum(map(_count, _VOICES.findall(request.text)))
    return sum(map(_count, _VOICES.findall(_around("", request)))) + _count(request.text)


def _around(content: str, request: SpeechRequest) -> str:
    """What stands at its default is left out: the voice speaks so by itself, and an element
    is billed as text.
    """
    options = request.options
    content = _style(_prosody(content, request), options)
    if locale_of(request.voice or "") not in {None, request.language}:
        content = ssml.element("lang", content, {"xml:lang": request.language})
    voice = ssml.element("voice", content, {"name": request.voice, "effect": options["effect"]})
    return ssml.element("speak", voice, NAMESPACES | {"xml:lang": request.language or ""})


def _prosody(content: str, request: SpeechRequest) -> str:
    changes = {
        "rate": None if request.speed == 1 else str(request.speed),
        "pitch": _unless("pitch", request.options, "{:+}%"),
        "volume": _unless("volume", request.options, "{}"),
    }
    return _element("prosody", content, changes)


def _style(content: str, options: dict[str, Any]) -> str:
    changes = {
        "style": options["style"],
        "styledegree": _unless("style_degree", options, "{}"),
        "role": options["role"],
    }
    return _element("mstts:express-as", content, changes)


def _unless(name: str, options: dict[str, Any], form: str) -> str | None:
    value = options[name]
    return None if value == NO_OPTIONS[name] else form.format(value)


def _element(name: str, content: str, changes: dict[str, str | None]) -> str:
    return ssml.element(name, content, changes) if any(changes.values()) else content


def _count(text: str) -> int:
    return len(text) + sum(map(_is_ideograph, text))


def _is_ideograph(character: str) -> bool:
    return character > "\u2e7f" and unicodedata.name(character, "").startswith("CJK UNIFIED")
