"""The request's schema, and the check of a body against it: said once, checked and published."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from audiocache.keys import encodes
from tts.api.exceptions import WrongBody
from tts.providers.fields import MAX_WORD, WORD

MAX_CHARACTERS: Final = 4096
SPEEDS: Final = (0.25, 4.0)
FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
EVENTS: Final = "sse"

# Written so that Python's `re` and ECMA-262, whose classes differ, mean the same by it.
_SPACES: Final = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TEXT: Final = {"type": "string", "pattern": r"^[^\x00]*$", "title": "a text without NUL"}
_SPOKEN: Final = {
    "type": "string",
    "pattern": rf"^[{_SPACES}]*[^\x00{_SPACES}][^\x00]*$",
    "title": "a text without NUL that is not blank",
}
_NAME: Final = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_WORD,
    "pattern": WORD,
    "title": "a name of printable characters",
}
_ID: Final = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_.-]{1,100}$",
    "title": "an id of 1 to 100 letters, digits, or _.-",
}

REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["model", "input", "voice"],
    "properties": {
        "model": {**_NAME, "description": "One that GET /v1/models lists."},
        "input": {
            **_SPOKEN,
            "minLength": 1,
            "maxLength": MAX_CHARACTERS,
            "description": "The text to speak.",
        },
        "voice": {
            "description": "One that GET /v1/audio/voices lists, or one of the account's own.",
            "anyOf": [
                _NAME,
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["id"],
                    "properties": {"id": _ID},
                },
            ],
        },
        "instructions": {
            **_TEXT,
            "maxLength": MAX_CHARACTERS,
            "description": "How to speak, for providers that take it.",
        },
        "response_format": {"type": "string", "enum": list(FORMATS), "default": "mp3"},
        "speed": {"type": "number", "minimum": SPEEDS[0], "maximum": SPEEDS[1], "default": 1},
        "stream_format": {"type": "string", "enum": ["audio", EVENTS], "default": "audio"},
    },
}

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "string": (str,),
    "number": (int, float),
}
_NAMES: Final = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}


def check(value: Any, schema: Mapping[str, Any] = REQUEST, name: str = "") -> None:
    """Raise WrongBody that names the first parameter that is wrong, and its limit."""
    if choices := schema.get("anyOf"):
        kinds = [choice["type"] for choice in choices]
        schema = next((one for one in choices if _is_of(value, one["type"])), {"type": kinds})
    if isinstance(schema["type"], list) or not _is_of(value, schema["type"]):
        raise _wrong_type(value, schema["type"], name)
    if isinstance(value, dict):
        _check_object(value, schema, name)
    elif isinstance(value, str):
        _check_string(value, schema, name)
    else:
        _check_number(value, schema, name)


def _is_of(value: Any, kind: str) -> bool:
    return isinstance(value, _KINDS[kind]) and not isinstance(value, bool)


def _wrong_type(value: Any, kind: str | list[str], name: str) -> WrongBody:
    wanted = kind if isinstance(kind, str) else " or ".join(kind)
    got = _NAMES.get(type(value), "number")
    where = f"Invalid type for '{name}'" if name else "Invalid type for the body"
    return WrongBody(f"{where}: expected {wanted}, but got {got}.", name or None, "invalid_type")


def _check_object(value: dict[str, Any], schema: Mapping[str, Any], name: str) -> None:
    known = schema["properties"]
    for given in value:
        if given not in known:
            shown = ascii(given[:40])
            raise WrongBody(f"Unknown parameter: {shown}.", shown.strip("'"), "unknown_parameter")
    for needed in schema["required"]:
        if needed not in value:
            path = _path(name, needed)
            text = f"Missing required parameter: '{path}'."
            raise WrongBody(text, path, "missing_required_parameter")
    for given, item in value.items():
        check(item, known[given], _path(name, given))


def _path(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _check_string(value: str, schema: Mapping[str, Any], name: str) -> None:
    if (words := schema.get("enum")) and value not in words:
        raise WrongBody(f"Invalid value for '{name}': supported are {', '.join(words)}.", name)
    if len(value) > schema.get("maxLength", math.inf):
        text = f"Invalid '{name}': it must have at most {schema['maxLength']} characters."
        raise WrongBody(text, name, "string_above_max_length")
    if schema.get("minLength") and not value.strip():
        raise WrongBody(f"Invalid '{name}': it must not be empty.", name, "empty_string")
    if not encodes(value):
        raise WrongBody(f"Invalid '{name}': it has a lone surrogate.", name, "invalid_string")
    if (pattern := schema.get("pattern")) and not re.fullmatch(pattern, value):
        raise WrongBody(f"Invalid '{name}': it must be {schema['title']}.", name, "invalid_string")


def _check_number(value: float, schema: Mapping[str, Any], name: str) -> None:
    low, high = schema["minimum"], schema["maximum"]
    if not low <= value <= high:
        code = "number_below_min_value" if value < low else "number_above_max_value"
        raise WrongBody(f"Invalid '{name}': it must be from {low} to {high}.", name, code)
