"""Checks of the fields of a request: each gives the value back, or names field and limit."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from audiocache.configuring import shown
from audiocache.keys import canonical_variant, encodes, normalize_text
from tts.exceptions import InvalidSpeechRequest

MAX_WORD: Final = 200
"""Characters of a voice, a model, a language."""
# What one does not see: controls, all spaces but one, directions, and planes without letters.
# Which characters are assigned is no matter: it differs by the release of Unicode.
_UNSEEN: Final = (
    r"\x00-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    r"\ue000-\uf8ff\ufeff\ufff0-\uffff"
    "\U000e0000-\U0010ffff"  # not escaped: Python and ECMA-262 write these in other ways
)
WORD: Final = rf"^ *[^ {_UNSEEN}][^{_UNSEEN}]*$"
"""As a pattern of JSON Schema, too; where lone surrogates are let through they are refused."""
_WORD: Final = re.compile(WORD)


def text(value: object, limit: int, unit: str) -> str:
    """The text as given, if what is sent of it is speakable and within `limit` of `unit`."""
    try:
        normal = normalize_text(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidSpeechRequest("text", str(error).removeprefix("text ")) from error
    size = len(normal.encode()) if unit == "bytes" else len(normal)
    if size > limit:
        raise InvalidSpeechRequest("text", f"must have at most {limit} {unit}, not {size}")
    return str(value)


def word(field: str, value: object) -> str | None:
    """A short printable name, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidSpeechRequest(field, f"must be str, not {type(value).__name__}")
    if len(value) > MAX_WORD or not (_WORD.fullmatch(value) and encodes(value)):
        raise InvalidSpeechRequest(field, f"must have 1 to {MAX_WORD} printable characters")
    return value.strip()


def first(*wishes: Any) -> Any:
    """The first that is given; an empty text is not, whatever else is empty is, and wrong."""
    return next((wish for wish in wishes if wish is not None and wish != ""), None)


def one_of(field: str, value: object, known: Collection[str]) -> str:
    """One of the known names; else the nearest ones are named."""
    name = word(field, value)
    if name in known:
        return str(name)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        hint = f", did you mean {' or '.join(near)}?"
    else:
        hint = f"; there are {', '.join(list(known)[:12])}{', ...' if len(known) > 12 else ''}"
    raise InvalidSpeechRequest(field, f"is not known: {name!r}{hint}")


def number(field: str, value: object, low: float, high: float) -> float:
    """A finite number within bounds; an integral one is an int."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidSpeechRequest(field, f"must be a number, not {type(value).__name__}")
    if not low <= value <= high:
        raise InvalidSpeechRequest(field, f"must be from {low} to {high}, not {shown(value)}")
    return int(value) if value == int(value) else value


def whole(field: str, value: object, low: int, high: int) -> int:
    """A whole number within bounds."""
    found = number(field, value, low, high)
    if not isinstance(found, int):
        raise InvalidSpeechRequest(field, f"must be a whole number, not {value}")
    return found


def speed(value: float | None, bounds: tuple[float, float] | None) -> float:
    """The speed factor; 1 when it is not given."""
    if bounds is None and not (value is None or value == 1):
        raise InvalidSpeechRequest("speed", "must be 1: this provider has one speed")
    low, high = bounds or (1, 1)
    return number("speed", 1 if value is None else value, low, high)


def sample_rate(value: int | None, known: Sequence[int]) -> int | None:
    """One of the rates (Hz); the first when it is not given."""
    if value is None:
        return known[0] if known else None
    if isinstance(value, bool) or value not in known:
        allowed = f"one of {', '.join(map(str, known))}" if known else "left out"
        raise InvalidSpeechRequest("sample_rate", f"must be {allowed}")
    return int(value)


def instructions(value: object, limit: int) -> str | None:
    """How to speak, within `limit` characters; blank is None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidSpeechRequest("instructions", f"must be str, not {type(value).__name__}")
    if not limit:
        raise InvalidSpeechRequest("instructions", "must be left out: this provider takes none")
    if len(value) > limit:
        raise InvalidSpeechRequest(
            "instructions", f"must have at most {limit} characters, not {len(value)}"
        )
    return value.strip() or None


def ssml(value: object, *, takes_ssml: bool) -> bool:
    """Is the text SSML?"""
    if not isinstance(value, bool):
        raise InvalidSpeechRequest("ssml", f"must be a bool, not {type(value).__name__}")
    if value and not takes_ssml:
        raise InvalidSpeechRequest("ssml", "must be False: this provider has no SSML")
    return value


def options(
    given: object, configured: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Given over configured over default options; an unknown name is refused."""
    if not isinstance(given, Mapping):
        raise InvalidSpeechRequest("options", f"must be a dict, not {type(given).__name__}")
    chosen = {**configured, **{name: item for name, item in given.items() if item is not None}}
    for name in chosen:
        if name not in defaults:
            _refuse_option(name, defaults)
    return {**defaults, **chosen}


def plain(field: str, value: dict[str, Any]) -> dict[str, Any]:
    """A dict as the key has it: nothing in it is None, an integral float is an int.

    So what is sent is what is keyed. Raises InvalidSpeechRequest for what no key can hold.
    """
    name = field.rpartition(".")[2]
    try:
        found = json.loads(canonical_variant({name: value}))
    except (TypeError, ValueError) as error:
        where, _, limit = str(error).partition(" ")
        raise InvalidSpeechRequest(field + where.removeprefix(name), limit) from error
    return dict(found[name])


def _refuse_option(name: object, known: Mapping[str, Any]) -> None:
    if not known:
        raise InvalidSpeechRequest("options", "must be empty: this provider has none")
    one_of("options", name, known)


def check_provider(value: str | None, name: str) -> None:
    """A request that names a provider is for that one alone."""
    if value is not None and value != name:
        raise InvalidSpeechRequest("provider", f"must be {name!r} or left out")
