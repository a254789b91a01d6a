"""`manage.py check` names every setting of speech that is wrong or unwise."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.checks import run_checks

from tts.checks import check_settings
from tts.providers import espeak_abi, espeak_library
from tts.providers.espeak import EspeakProvider

RAISING = "tests.raises_on_import"


@pytest.fixture(autouse=True)
def _no_debug(settings: Any) -> None:
    settings.DEBUG = False


@pytest.mark.parametrize(
    ("given", "ids", "words"),
    [
        ({"PROVIDER": "tone"}, [], ""),
        ({"PROVIDER": "espeak"}, [], ""),
        ({"ENABLED": False}, [], ""),
        ({"PROVIDER": "tone", "VOICES": "x"}, ["tts.E001"], "'VOICE'"),
        ({"TIMEOUT": -1, "OPTIONS": 3}, ["tts.E001", "tts.E001", "tts.E002"], "TTS_TIMEOUT"),
        ({}, ["tts.E002"], "TTS_PROVIDER"),
        ({"PROVIDER": "nobody"}, ["tts.E003"], "espeak.*openai.*tone"),
        ({"PROVIDER": "no.such.Module"}, ["tts.E003"], "dotted path"),
        ({"PROVIDER": "tone", "VOICE": "altos"}, ["tts.E005"], "TTS_VOICE.*alto"),
        ({"PROVIDER": "tone", "FORMAT": "vorbis"}, ["tts.E005"], "TTS_FORMAT.*wav, pcm"),
        ({"PROVIDER": "tone", "OPTIONS": {"x": 1}}, ["tts.E005"], "TTS_OPTIONS"),
        ({"PROVIDER": "tone", "MASTER": "mp3"}, ["tts.E007"], "TTS_MASTER.*none, wav, pcm"),
        ({"PROVIDER": "tone", "MASTER": "none"}, [], ""),
        ({"PROVIDER": "espeak", "LANGUAGE": "qq"}, ["tts.E005"], "TTS_LANGUAGE"),
        ({"PROVIDER": "tone", "TIMEOUT": 1}, ["tts.W001"], "TTS_TIMEOUT"),
        ({"PROVIDER": "tone", "CACHE_ONLY": True, "FALLBACKS": ["espeak"]}, [], ""),
        ({"PROVIDER": "tone", "CACHE_ONLY": "perhaps"}, ["tts.E001"], "TTS_CACHE_ONLY"),
        ({"PROVIDER": "tone", "STALE_SECONDS": -1}, ["tts.E001"], "TTS_STALE_SECONDS"),
        ({"PROVIDER": "tone", "FALLBACK_AFTER": 30}, ["tts.E001"], "TTS_FALLBACK_AFTER.*TIMEOUT"),
        ({"PROVIDER": "tone", "FALLBACKS": [3]}, ["tts.E001"], "TTS_FALLBACKS.*name or a dict"),
        ({"PROVIDER": "tone", "FALLBACKS": [{}]}, ["tts.E001"], "TTS_FALLBACKS.*PROVIDER"),
        (
            {"PROVIDER": "tone", "FALLBACKS": [{"PROVIDER": "tone", "VOICES": "x"}]},
            ["tts.E001"],
            "TTS_FALLBACKS.*'VOICE'",
        ),
        (
            {"PROVIDER": "tone", "FALLBACKS": [{"PROVIDER": "tone", "TIMEOUT": "soon"}]},
            ["tts.E001"],
            "TTS_FALLBACKS.*TTS_TIMEOUT",
        ),
        (
            {"PROVIDER": "tone", "FALLBACKS": ["espeak", "elevenlabs", "nobody"]},
            ["tts.E002", "tts.E003"],
            "TTS_FALLBACKS, 2 .elevenlabs.: TTS_API_KEY",
        ),
        ({"API_KEY": "k", "FALLBACKS": ["espeak"]}, [], ""),
        (
            {"API_KEY": "k", "FORMAT": "ulaw_8000", "FALLBACKS": ["espeak"]},
            ["tts.W002"],
            "audio_format",
        ),
        (
            {"API_KEY": "k", "FALLBACKS": [{"PROVIDER": "elevenlabs", "API_KEY": "k"}]},
            ["tts.W002"],
            "can never speak: it asks the account that failed",
        ),
        (
            {"API_KEY": "k", "FALLBACKS": [{"PROVIDER": "elevenlabs", "API_KEY": "another"}]},
            [],
            "",
        ),
        (
            {
                "API_KEY": "k",
                "FALLBACKS": [
                    {"PROVIDER": "elevenlabs", "API_KEY": "k", "BASE_URL": "https://a.example"}
                ],
            },
            ["tts.W003"],
            "same keys",
        ),
        ({"PROVIDER": "tone", "TIMEOUT": 600}, ["tts.W001"], "TTS_TIMEOUT"),
        (
            {"PROVIDER": ".voices.Mine"},
            ["tts.E003"],
            "TTS_PROVIDER: '.voices.Mine' is not a dotted",
        ),
        ({"PROVIDER": ".."}, ["tts.E003"], "TTS_PROVIDER: '..' is not a dotted path"),
        ({"PROVIDER": f"{RAISING}.Mine"}, ["tts.E003"], "TTS_PROVIDER.*raises RuntimeError"),
        ({"PROVIDER": "tone", "AUTHENTICATION": ".a.b"}, ["tts.E006"], "TTS_AUTHENTICATION"),
        (
            {"PROVIDER": "tone", "AUTHENTICATION": f"{RAISING}.mine"},
            ["tts.E006"],
            "TTS_AUTHENTICATION.*raises RuntimeError",
        ),
        (
            {"PROVIDER": "tone", "FALLBACKS": [{"PROVIDER": ".a.B"}]},
            ["tts.E003"],
            "TTS_FALLBACKS, 1 .*not a dotted path",
        ),
        ({"PROVIDER": "tone", "OPTIONS": {"transpose": [1]}}, ["tts.E005"], "options.transpose"),
        ({"PROVIDER": "tone", "OPTIONS": {"transpose": "x"}}, ["tts.E005"], "options.transpose"),
        ({"PROVIDER": "tone", "OPTIONS": {"transpose": True}}, ["tts.E005"], "options.transpose"),
    ],
)
def test_each_setting_is_checked(
    settings: Any, given: dict[str, Any], ids: list[str], words: str
) -> None:
    settings.TTS = given
    messages = check_settings()
    assert [message.id for message in messages] == ids
    assert not words or any(re.search(words, message.msg) for message in messages)


def test_a_missing_extra_is_named_with_its_command(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TTS = {"PROVIDER": "espeak"}
    monkeypatch.setattr(EspeakProvider, "extra", ("no_such_module", "espeak"))
    [message] = check_settings()
    assert message.id == "tts.E004"
    assert "pip install 'django-audiocache[espeak]'" in message.msg


def test_a_library_that_cannot_be_used_is_told(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Empty:
        def espeak_Initialize(self, *_: object) -> int:  # noqa: N802
            return -1

    monkeypatch.setattr(espeak_abi, "load", Empty)
    monkeypatch.setattr(espeak_library, "library", espeak_library.EspeakLibrary())
    settings.TTS = {"PROVIDER": "espeak", "VOICE": "en-us+f3"}
    [message] = check_settings()
    assert message.id == "tts.E003"
    assert "'espeak' cannot speak: espeak-ng found no voice data" in message.msg


def test_the_checks_are_registered(settings: Any) -> None:
    settings.TTS = {"PROVIDER": "nobody"}
    assert "tts.E003" in [message.id for message in run_checks(tags=["tts"])]
