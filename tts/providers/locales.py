"""The language of a voice, as its name says it: `en-US` of `en-US-JennyNeural`."""

from __future__ import annotations

import re
from typing import Final

_LOCALE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?-[A-Za-z]{2}(?=-)")


def locale_of(voice: str) -> str | None:
    """None where the name does not begin with one."""
    found = _LOCALE.match(voice)
    return found.group() if found else None


def language_for(voice: str, wished: str | None) -> str | None:
    """The voice's own locale where nothing else is wished: `en` is `en-US` of an `en-US-...`."""
    own = locale_of(voice)
    if own is None or not wished:
        return wished or own
    return own if f"{own}-".lower().startswith(f"{wished}-".lower()) else wished
