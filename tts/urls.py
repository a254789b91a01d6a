"""Addresses of speech, for `include("tts.urls")` under any prefix."""

from __future__ import annotations

from django.urls import path

from tts import views
from tts.api.catalogue import Catalogue, models, voices
from tts.api.document import document, page
from tts.api.either import either
from tts.api.speech import aspeak, speak

_models, _voices = Catalogue(models), Catalogue(voices)

app_name = "tts"
urlpatterns = [
    either("audio/<slug:name>.<slug:extension>", views.audio, views.aaudio, name="audio"),
    either("v1/audio/speech", speak, aspeak, name="speech"),
    either("v1/audio/voices", _voices.view, _voices.aview, name="voices"),
    either("v1/models", _models.view, _models.aview, name="models"),
    path("v1/openapi.json", document, name="openapi"),
    path("v1/docs", page, name="docs"),
]
