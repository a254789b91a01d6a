"""How long may it take to say a text? Wide bounds: only nonsense is outside them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

FASTEST: Final = 40.0
"""Letters a second: speech has 10 to 20, the fastest voices at normal speed near 30."""
FREE: Final = 10
"""Letters that say nothing: `Hm!` may be as short as a breath."""
LEAST: Final = 0.03
"""Seconds of the shortest sound."""

SLOWEST_LETTER: Final = 0.6
"""Seconds; spelled letters included."""
SLOWEST_OTHER: Final = 4.0
"""Seconds; digits of long numbers, symbols and emoji read by name, ideographs."""
PAUSES: Final = 10.0
"""Seconds of silence around short texts."""
NO_BOUND: Final = 86_400.0


def bounds(text: str, speed: float, *, ssml: bool) -> tuple[float, float]:
    """The least and the most plausible seconds for a text at a speed factor.

    SSML may hold pauses of any length and marks that are not spoken: it has no bound but
    the shortest sound.
    """
    if ssml:
        return LEAST, NO_BOUND
    kinds = Counter(unicodedata.category(character) for character in text)
    letters = kinds["Ll"] + kinds["Lu"] + kinds["Lt"]
    silent = kinds["Zs"] + kinds["Cc"]
    others = len(text) - letters - silent
    least = max(LEAST, (letters + kinds["Lo"] - FREE) / FASTEST)
    most = PAUSES + letters * SLOWEST_LETTER + others * SLOWEST_OTHER
    return least / max(speed, 1.0), most / min(speed, 1.0)
