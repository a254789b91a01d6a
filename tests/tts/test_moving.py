"""Speech that was paid for here is not paid for where its archive was brought."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from audiocache import MultiTierAudioCache, get_audio_cache
from audiocache.builder import replace_audio_cache
from tests.tts.databases import ALIASES
from tests.tts.vendors import elevenlabs
from tts.conf import TTSConfig
from tts.service import TTSService
from tts.speech import SpeechRequest

REQUESTS = [
    SpeechRequest("He lives here."),
    SpeechRequest("He lives here.", speed=1.1),
    SpeechRequest("He lives here.", audio_format="wav"),
    SpeechRequest("Er wohnt da.", language="de", options={"previous_text": "Kabeljau?"}),
]


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def cache(alias: str, settings: Any, store_text: bool) -> Iterator[MultiTierAudioCache]:
    settings.AUDIOCACHE = {
        "PERSISTENT_DATABASE": alias, "BACKEND": "sqlite", "STORE_TEXT": store_text,
    }  # fmt: skip
    yield get_audio_cache()
    if (before := replace_audio_cache(None)) is not None:
        before.close()


@pytest.mark.parametrize("store_text", [True, False])
def test_what_was_brought_in_is_found_and_not_paid_for(
    cache: MultiTierAudioCache, tmp_path: Path, store_text: bool
) -> None:
    path = str(tmp_path / "clips.tar")
    with elevenlabs.server() as server:
        config = TTSConfig(
            provider="elevenlabs", api_key=elevenlabs.KEY, base_url=server.url, timeout=20
        )
        service = TTSService(config, cache=cache)
        made = [service.synthesize_sync(request) for request in REQUESTS]
        call_command("audiocache", "export", path, stdout=io.StringIO())
        cache.clear()
        call_command("audiocache", "import", path, stdout=io.StringIO())
        paid = len(server.heard)
        found = [service.synthesize_sync(request) for request in REQUESTS]
        service.close()
        assert len(server.heard) == paid
    assert {speech.tier for speech in found} == {"persistent"}
    assert [speech.audio for speech in found] == [speech.audio for speech in made]
    assert (b"Kabeljau" in Path(path).read_bytes()) is store_text
