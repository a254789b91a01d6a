"""Whatever differs is another call; what is at its default is not (Must show 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from audiocache import MultiTierAudioCache
from tests.tts.vendors import elevenlabs, openai
from tests.tts.vendors.server import Heard, Reply, Server
from tests.tts.vendors.sounds import sound
from tts.conf import TTSConfig
from tts.service import TTSService
from tts.speech import SpeechRequest

TEXT = "The museum is free on Sundays."

DIFFERENT: dict[str, list[dict[str, Any]]] = {
    "elevenlabs": [
        {},
        {"text": "The museum is free on Mondays."},
        {"text": "the museum is free on Sundays."},
        {"voice": "21m00Tcm4TlvDq8ikWAM"},
        {"model": "eleven_flash_v2_5"},
        {"language": "en"},
        {"speed": 1.1},
        {"voice_revision": "2"},
        {"options": {"stability": 0.4}},
        {"options": {"similarity_boost": 0.5}},
        {"options": {"style": 0.1}},
        {"options": {"use_speaker_boost": False}},
        {"options": {"seed": 0}},
        {"options": {"seed": 1}},
        {"options": {"previous_text": "Listen."}},
        {"options": {"next_text": "Listen."}},
        {"options": {"apply_text_normalization": "on"}},
        {"options": {"pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "d"}]}},
    ],
    "openai": [
        {},
        {"text": "The museum is free on Mondays."},
        {"voice": "nova"},
        {"voice": "id:nova"},
        {"model": "tts-1-hd"},
        {"speed": 1.1},
        {"instructions": "Whisper."},
        {"voice_revision": "2"},
        {"options": {"extra_body": {"lang_code": "b"}}},
    ],
}

SAME: dict[str, list[dict[str, Any]]] = {
    "elevenlabs": [
        {"text": f" {TEXT}  "},
        {"voice": "JBFqnCBsd6RMkjVDRZzb", "model": "eleven_multilingual_v2"},
        {"audio_format": "mp3"},
        {"audio_format": "mp3_44100_128"},
        {"speed": 1.0},
        {"options": {"stability": 0.5, "style": 0.0, "seed": None}},
        {"options": {"use_speaker_boost": True, "apply_text_normalization": "auto"}},
    ],
    "openai": [
        {"text": f" {TEXT}  "},
        {"voice": "alloy", "model": "tts-1", "audio_format": "mp3"},
        {"speed": 1.0},
        {"instructions": ""},
        {"language": "en"},
        {"sample_rate": 24_000},
        {"options": {"extra_body": {}}},
    ],
}


def answer(line: Any, heard: Heard) -> bool:
    """Whatever is asked for."""
    return Reply(body=sound("The museum is free.", "mp3_44100_128"))(line, heard)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(answer) as server:
        yield server


@pytest.fixture(params=["elevenlabs", "openai"])
def vendor(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def service(vendor: str, server: Server, cache: MultiTierAudioCache) -> Iterator[TTSService]:
    key = {"elevenlabs": elevenlabs.KEY, "openai": openai.KEY}[vendor]
    model = "tts-1" if vendor == "openai" else None
    config = TTSConfig(provider=vendor, api_key=key, model=model, base_url=server.url)
    service = TTSService(config, cache=cache)
    yield service
    service.close()


def test_whatever_differs_is_another_call(vendor: str, service: TTSService, server: Server) -> None:
    for number, fields in enumerate(DIFFERENT[vendor], 1):
        for _ in range(2):
            service.synthesize_sync(SpeechRequest(**{"text": TEXT, **fields}))
        assert len(server.heard) == number, fields
    sent = {
        (heard.path, heard.body) for heard in server.heard
    }  # a revision of the voice is in the key alone
    assert len(sent) == len(DIFFERENT[vendor]) - 1


def test_what_is_at_its_default_is_the_same_call(
    vendor: str, service: TTSService, server: Server
) -> None:
    for fields in SAME[vendor]:
        service.synthesize_sync(SpeechRequest(**{"text": TEXT, **fields}))
    assert len(server.heard) == 1
