"""JSON in one form: equal values are equal texts, whatever the order of their names."""

from __future__ import annotations

import json
from typing import Final

_ENCODER: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(value: object) -> str:
    """The text of a value; a key is made of such texts, so this never changes."""
    return _ENCODER.encode(value)
