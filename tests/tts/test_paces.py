"""How fast whole clips are spoken at most, by script."""

from __future__ import annotations

import pytest

from tests.tts.clips import TEXTS, spoken
from tts import paces
from tts.paces import seconds_of


@pytest.mark.parametrize(
    ("text", "letters", "pace"),
    [
        ("Straße und Ähre", 13, paces.ALPHABET),
        ("Библиотека", 10, paces.ALPHABET),
        ("ห้องสมุด", 6, paces.ALPHABET),
        ("მშვიდობა", 8, paces.ALPHABET),
        ("تغلق المكتبة", 11, paces.ABJAD),
        ("שלום", 4, paces.ABJAD),
        ("ﻻﻼ", 2, paces.ABJAD),
        ("पुस्तकालय", 6, paces.ABUGIDA),
        ("としょかん", 5, paces.KANA),
        ("カウンター", 4, paces.KANA),  # the sign of a long vowel is no letter
        ("ｶｳﾝﾀ", 4, paces.KANA),
        ("도서관은", 4, paces.SYLLABLES),
        ("ሰላም", 3, paces.SYLLABLES),
        ("图书馆𠀀豈", 5, paces.HAN),
        ("2026, 😀 — $4.50!", 0, paces.HAN),
    ],
)
def test_each_script_has_a_pace_and_what_is_no_letter_has_none(
    text: str, letters: int, pace: float
) -> None:
    assert seconds_of(text) == pytest.approx(letters / pace)


def test_a_text_of_several_scripts_takes_as_long_as_its_parts() -> None:
    assert seconds_of("Hallo 图书馆") == pytest.approx(seconds_of("Hallo") + seconds_of("图书馆"))


@pytest.mark.parametrize("language", TEXTS)
def test_the_local_voice_is_slower_in_every_script(language: str) -> None:
    pcm, rate = spoken(TEXTS[language], language)
    assert len(pcm) / 2 / rate > 1.2 * seconds_of(TEXTS[language])
