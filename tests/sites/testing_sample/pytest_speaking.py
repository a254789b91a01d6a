"""The project's tests with pytest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from audiocache import get_audio_cache
from audiocache.testing import SpeechCalls, override_speech
from tts import get_tts_service

from .models import Announcement
from .watch import assert_nothing_left_the_process


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    yield
    assert_nothing_left_the_process()


def test_without_the_database(client: Client, speech: SpeechCalls) -> None:
    assert client.get("/say/Hello").content == client.get("/say/Hello").content
    assert speech.texts == ["Hello"]


@pytest.mark.django_db
def test_with_the_database(client: Client, speech: SpeechCalls) -> None:
    announcement = Announcement.objects.create(text="Closing")
    client.get(f"/announce/{announcement.pk}")
    client.get(f"/announce/{announcement.pk}")
    assert speech.texts == ["Closing"]


@pytest.mark.django_db(transaction=True)
def test_with_transactions(client: Client, speech: SpeechCalls) -> None:
    announcement = Announcement.objects.create(text="Closing")
    assert client.get(f"/announce/{announcement.pk}").content == speech.stored[0].audio


def test_the_settings_fixture(speech: SpeechCalls, settings: Any) -> None:
    settings.AUDIOCACHE = {"TTL_HOURS": 1}
    settings.TTS = {"VOICE": "echo"}
    get_tts_service().synthesize_text_sync("Hello")
    assert speech[0].voice == "echo"
    assert get_audio_cache() is speech.cache


@pytest.mark.parametrize("text", ["Hello", "World"])
def test_every_test_starts_empty(client: Client, speech: SpeechCalls, text: str) -> None:
    client.get("/say/Hello")
    assert len(speech) == 1


@override_speech()
def test_a_decorated_function() -> None:
    assert get_tts_service().synthesize_text_sync("Hello", audio_format="wav")[:4] == b"RIFF"


def test_tasks(speech: SpeechCalls) -> None:
    async def speak() -> list[bytes]:
        service = get_tts_service()
        return await asyncio.gather(*[service.synthesize_text("Hello") for _ in range(100)])

    assert len(set(asyncio.run(speak()))) == 1
    assert speech.texts == ["Hello"]
