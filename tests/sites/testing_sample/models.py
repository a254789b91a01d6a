"""Something of the user's own beside the speech."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tts import get_tts_service


class Announcement(models.Model):
    text = models.TextField()
    seconds = models.FloatField(default=0)

    objects: ClassVar[models.Manager[Announcement]] = models.Manager()

    def __str__(self) -> str:
        return self.text

    def speak(self) -> bytes:
        return get_tts_service().synthesize_text_sync(self.text)
