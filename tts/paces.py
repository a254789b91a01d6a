"""How fast whole clips are spoken at most, by script: one table."""

from __future__ import annotations

import unicodedata
from bisect import bisect
from collections import Counter
from functools import lru_cache
from typing import Final

ALPHABET: Final = 18.0
"""Letters a second, as of English at 240 words a minute; voices have 11 to 16."""
ABJAD: Final = 14.0
"""Of scripts that leave out most vowels; voices have 8 to 11."""
ABUGIDA: Final = 12.0
"""Consonants of the scripts of India, whose vowels are marks; voices have 7 to 10."""
KANA: Final = 11.0
"""Voices have 7 to 9."""
SYLLABLES: Final = 8.5
"""Blocks of Hangul and the like; voices have 5 to 7."""
HAN: Final = 7.0
"""Ideographs; voices have 3.5 to 6."""

PART: Final = 0.1
"""Of a text's time: a script that has less is a name or a loan."""

_BLOCKS: Final = (
    (0x0000, ALPHABET),
    (0x0590, ABJAD),  # Hebrew, Arabic, Syriac, Thaana, NKo and others
    (0x0900, ABUGIDA),  # Devanagari to Sinhala
    (0x0E00, ALPHABET),  # Thai and Lao write their vowels; of what follows too little is known
    (0x1200, SYLLABLES),  # Ethiopic
    (0x13A0, ALPHABET),
    (0x3040, KANA),
    (0x3100, ALPHABET),
    (0x31F0, KANA),
    (0x3200, ALPHABET),
    (0x3400, HAN),
    (0xA000, SYLLABLES),  # Yi
    (0xA490, ALPHABET),
    (0xAC00, SYLLABLES),  # Hangul
    (0xD7B0, ALPHABET),
    (0xF900, HAN),
    (0xFB00, ALPHABET),
    (0xFB1D, ABJAD),
    (0xFE00, ALPHABET),
    (0xFE70, ABJAD),
    (0xFF00, ALPHABET),
    (0xFF66, KANA),
    (0xFFA0, ALPHABET),
    (0x20000, HAN),
    (0x40000, ALPHABET),
)
"""Where the letters of each begin in Unicode."""
_BEGINS: Final = [begin for begin, _ in _BLOCKS]
_LETTERS: Final = frozenset({"Ll", "Lu", "Lt", "Lo"})
"""Marks and signs that draw a sound out are not counted."""


def seconds_of(text: str) -> float:
    """The least that a whole clip of these letters lasts; of all else, 0."""
    return sum(number * _seconds(letter) for letter, number in Counter(text).items())


def scripts_of(text: str) -> frozenset[str]:
    """Those that take a part of the time, such as LATIN: first words of Unicode's names."""
    seconds: Counter[str] = Counter()
    for letter, number in Counter(text).items():
        if spent := number * _seconds(letter):
            seconds[_script(letter)] += spent  # type: ignore[assignment]
    least = seconds.total() * PART
    return frozenset(script for script, spent in seconds.items() if spent >= least)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


@lru_cache(maxsize=4096)
def _seconds(letter: str) -> float:
    if unicodedata.category(letter) not in _LETTERS:
        return 0.0
    return 1 / _BLOCKS[bisect(_BEGINS, ord(letter)) - 1][1]
