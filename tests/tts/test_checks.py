"""`manage.py check` names every setting of speech that is wrong or unwise."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.checks import run_checks

from tts.checks import check_settings
from tts.providers.espeak import EspeakProvider


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
        ({"TIMEOUT": -1, "OPTIONS": 3}, ["tts.E001", "tts.E001"], "TTS_TIMEOUT"),
        ({}, ["tts.E002"], "TTS_PROVIDER"),
        ({"PROVIDER": "nobody"}, ["tts.E003"], "espeak.*openai.*tone"),
        ({"PROVIDER": "no.such.Module"}, ["tts.E003"], "dotted path"),
        ({"PROVIDER": "tone", "VOICE": "altos"}, ["tts.E005"], "TTS_VOICE.*alto"),
        ({"PROVIDER": "tone", "FORMAT": "mp3"}, ["tts.E005"], "TTS_FORMAT.*wav, pcm"),
        ({"PROVIDER": "tone", "OPTIONS": {"x": 1}}, ["tts.E005"], "TTS_OPTIONS"),
        ({"PROVIDER": "espeak", "LANGUAGE": "qq"}, ["tts.E005"], "TTS_LANGUAGE"),
        ({"PROVIDER": "tone", "TIMEOUT": 1}, ["tts.W001"], "TTS_TIMEOUT"),
        ({"PROVIDER": "tone", "TIMEOUT": 600}, ["tts.W001"], "TTS_TIMEOUT"),
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


def test_the_checks_are_registered(settings: Any) -> None:
    settings.TTS = {"PROVIDER": "nobody"}
    assert "tts.E003" in [message.id for message in run_checks(tags=["tts"])]
