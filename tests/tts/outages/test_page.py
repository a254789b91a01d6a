"""docs/outages.md says what the code does."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tts.breaker import FAMILIES
from tts.checks import check_settings
from tts.conf import TTSConfig
from tts.service import TTSService

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "outages.md").read_text()


def test_its_settings_work(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = re.findall(r"```python\n(# settings\.py.*?)```", PAGE, re.DOTALL)
    for name in re.findall(r"os\.environ\[.(\w+).\]", block):
        monkeypatch.setenv(name, "abc")
    shown: dict[str, Any] = {"os": os}
    exec(block, shown)
    settings.TTS, settings.AUDIOCACHE = shown["TTS"], shown["AUDIOCACHE"]
    assert check_settings() == []
    stats = TTSService().get_provider_stats()
    assert [one["provider"] for one in stats] == ["elevenlabs", "openai", "espeak"]
    for name in stats[0]:
        assert f"`{name}`" in PAGE


def test_the_numbers_are_those_of_the_code() -> None:
    rows = re.findall(
        r"\| (`\w+`(?:, `\w+`)*) \| (?:the first|(\d) in a row, lasting (\d) s) "
        r"\| (\d+) s.*? \| (\d+) s \|",
        PAGE,
    )
    told = [(int(n or 1), float(lasting or 0), int(a), int(b)) for _, n, lasting, a, b in rows]
    assert told == [family[1:] for family in FAMILIES]
    defaults = TTSConfig()
    assert f"`TTS_STALE_SECONDS` ({defaults.stale_seconds})" in PAGE


def test_the_tests_it_names_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(named) == 6
    assert [name for name in named if not (ROOT / name).is_file()] == []
