"""Views that speak: one with a model, one without a database, one async."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from tts import SpeechRequest, TTSConfig, TTSError, TTSService, get_tts_service

from .models import Announcement

# Made when the module is imported, and with settings of its own.
menu: Final = TTSService(TTSConfig(api_key="costs money", voice="menu", format="wav"))


def announce(request: HttpRequest, pk: int) -> HttpResponse:
    announcement = get_object_or_404(Announcement, pk=pk)
    speech = get_tts_service().synthesize_sync(SpeechRequest(announcement.text))
    Announcement.objects.filter(pk=pk).update(seconds=speech.duration)
    return HttpResponse(speech.audio, content_type=speech.content_type)


def say(request: HttpRequest, text: str) -> HttpResponse:
    try:
        speech = get_tts_service().synthesize_sync(SpeechRequest(text))
    except TTSError:
        return HttpResponse("Please read: " + text, status=503)
    return HttpResponse(speech.audio, content_type=speech.content_type)


async def asay(request: HttpRequest, text: str) -> HttpResponse:
    speech = await get_tts_service().synthesize(SpeechRequest(text, voice="echo"))
    return HttpResponse(speech.audio, content_type=speech.content_type)


def press(request: HttpRequest, key: int) -> HttpResponse:
    return HttpResponse(menu.synthesize_text_sync(f"You pressed {key}"), content_type="audio/wav")
