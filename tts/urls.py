"""Addresses of speech, for `include("tts.urls")` under any prefix."""

from __future__ import annotations

from django.urls import path

from tts import views

app_name = "tts"

urlpatterns = [
    path("audio/<slug:name>.<slug:extension>", views.audio, name="audio"),
]
