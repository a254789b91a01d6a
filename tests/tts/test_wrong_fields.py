"""All that is wrong in settings.TTS is told at once, and no consequence of it."""

from __future__ import annotations

from typing import Any

import pytest

from tts import TTSConfig
from tts.checks import check_settings
from tts.wrong_fields import MOST

SPOKEN = {"PROVIDER": "espeak"}
OWN = {"PROVIDER": "openai", "API_KEY": "k", "MODEL": "m"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PROVIDER": "zz", "TIMEOUT": "x"}, ["E001 TTS_TIMEOUT", "E003 TTS_PROVIDER"]),
        (SPOKEN | {"FORMAT": "zz", "VOICE": "nobody"}, ["E005 TTS_VOICE", "E005 TTS_FORMAT"]),
        (
            SPOKEN | {"VOICE": "nobody", "LANGUAGE": "zz", "MODEL": "m"},
            ["E005 TTS_LANGUAGE", "E005 TTS_VOICE", "E005 TTS_MODEL"],
        ),
        (
            OWN | {"MAX_CONCURRENT": -1, "BASE_URL": "ftp://x"},
            ["E001 TTS_MAX_CONCURRENT", "E001 TTS_BASE_URL"],
        ),
        (
            {"PROVIDER": "openai", "FORMAT": "zz", "MASTER": "zz"},
            ["E002 TTS_API_KEY is not set", "E005 TTS_MODEL", "E005 TTS_FORMAT", "E007 TTS_MASTER"],
        ),
        (
            SPOKEN | {"OPTIONS": {"pitch": 1000, "tone": 3, "volume": "x"}},
            ["E005 TTS_OPTIONS", "E005 TTS_OPTIONS", "E005 TTS_OPTIONS"],
        ),
        (
            SPOKEN | {"VOICES": "x", "TIMEOUT": "x"},
            [
                "E001 settings.TTS['VOICES'] is not a setting, did you mean 'VOICE'?",
                "E001 TTS_TIMEOUT",
            ],
        ),
    ],
)
def test_everything_is_told_together(settings: Any, given: dict[str, Any], told: list[str]) -> None:
    assert said(settings, given) == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PROVIDER": 3, "VOICE": "nova"}, ["E001 TTS_PROVIDER"]),
        ({"API_KEY": 3}, ["E001 TTS_API_KEY"]),
        (SPOKEN | {"TIMEOUT": "x", "FALLBACK_AFTER": 40}, ["E001 TTS_TIMEOUT"]),
        (SPOKEN | {"FORMAT": 3, "MODEL": "m"}, ["E001 TTS_FORMAT", "E005 TTS_MODEL"]),
        ("espeak", ["E001 settings.TTS must be a dict"]),
        ("", ["E001 settings.TTS must be a dict"]),
        ([], ["E001 settings.TTS must be a dict"]),
        (
            SPOKEN | {"API_KEY": 3, "VOICE": "nobody", "FALLBACKS": ["zz"]},
            ["E001 TTS_API_KEY", "E005 TTS_VOICE", "E003 TTS_FALLBACKS, 1 (zz)"],
        ),
        (OWN | {"API_KEY": 3, "FORMAT": "zz"}, ["E001 TTS_API_KEY", "E005 TTS_FORMAT"]),
    ],
)
def test_what_follows_from_a_wrong_value_is_not_told(
    settings: Any, given: object, told: list[str]
) -> None:
    assert said(settings, given) == told


def test_all_fallbacks_are_looked_at(settings: Any) -> None:
    settings.TTS = SPOKEN | {"FALLBACKS": [{"PROVIDER": "tone", "VOICES": 1, "TIMEOUT": "x"}, 3]}
    [problem] = TTSConfig.judged()[1].problems
    assert problem.startswith("TTS_FALLBACKS: 1 ")
    assert "'VOICE'?, TTS_TIMEOUT: must" in problem
    assert problem.endswith("; 2 each must be a name or a dict, not int")


def test_a_wrong_fallback_hides_no_other(settings: Any) -> None:
    fallbacks = [3, {"PROVIDER": "tone", "VOICE": "x"}, {"PROVIDER": "zz"}]
    assert said(settings, SPOKEN | {"VOICE": 3, "FALLBACKS": fallbacks}) == [
        "E001 TTS_VOICE",
        "E001 TTS_FALLBACKS",
        "E005 TTS_FALLBACKS, 2 (tone)",
        "E003 TTS_FALLBACKS, 3 (zz)",
    ]


@pytest.mark.parametrize(("options", "more"), [(MOST, False), (MOST + 1, True)])
def test_more_than_is_told_at_once(settings: Any, options: int, more: bool) -> None:
    settings.TTS = SPOKEN | {"OPTIONS": {f"wrong{number}": 1 for number in range(options)}}
    told = [each.msg for each in check_settings()]
    assert len(told) == options
    assert told[-1].startswith("TTS_OPTIONS: and more") is more


def said(settings: Any, given: object) -> list[str]:
    """What the checks say of these settings, without the reasons."""
    settings.DEBUG = False
    settings.TTS = given
    found = [f"{each.id} {each.msg.partition(': ')[0]}" for each in check_settings()]
    return [each.removeprefix("tts.") for each in found]
