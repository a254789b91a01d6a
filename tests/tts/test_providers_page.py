"""The blocks of docs/providers.md are settings that work as they stand there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tts import habits, retry
from tts.conf import TTSConfig
from tts.limits import MAX_RETRY_AFTER
from tts.providers import PROVIDERS, build_provider
from tts.speech import SpeechRequest

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
BLOCKS = re.findall(r"```python\n(# settings\.py.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.search(r'"(\w+)",', block)[1])  # type: ignore[index]
def test_a_block_is_settings_that_work(
    block: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in re.findall(r"os\.environ\[.(\w+).\]", block):
        monkeypatch.setenv(name, "abc")
    shown: dict[str, Any] = {"os": os}
    exec(block, shown)
    settings.TTS = shown["TTS"]
    provider = build_provider(TTSConfig.load())
    request = provider.complete(SpeechRequest("Hello"))
    assert request.voice == shown["TTS"]["VOICE"]
    provider.close()


def test_every_provider_is_on_the_page() -> None:
    assert [
        name for name in PROVIDERS if f"[{name}]" not in PAGE and f"| {name} |" not in PAGE
    ] == []
    shown = {re.search(r'"PROVIDER": "(\w+)"', block)[1] for block in BLOCKS}  # type: ignore[index]
    assert shown == set(PROVIDERS) - {"espeak", "tone"}


def test_the_numbers_of_the_retries_are_those_of_the_code() -> None:
    rows = re.findall(r"\| (3 times|twice|once) \| ([\d.]+) s \|", PAGE)
    told = [({"3 times": 3, "twice": 2, "once": 1}[times], float(wait)) for times, wait in rows]
    assert told == [(rule.retries, rule.base) for rule in retry.RULES]
    assert f"above {MAX_RETRY_AFTER:.0f} seconds there is no retry" in PAGE


def test_the_numbers_of_what_is_learned_are_those_of_the_code() -> None:
    odd, alone = habits.ODD, habits.ALONE
    for number in (habits.FEW, habits.MANY):
        assert f"- After {number} clips" in PAGE
    assert f"- After {habits.DOUBTS} such refusals" in PAGE
    assert f"latest {habits.CLIPS} clips of {habits.VOICES} voices" in PAGE
    assert f"is {odd.fastest} times as fast as its fastest clip was, {odd.usual} times" in PAGE
    assert f"{alone.fastest} times its fastest, {alone.usual} times its median" in PAGE
    assert (odd.spread, alone.spread) == (4, 6)
