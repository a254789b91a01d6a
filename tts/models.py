"""Phrases that are spoken ahead of time, and API keys: in the site's default database."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tts.access.models import ApiKey
from tts.exceptions import InvalidSpeechRequest
from tts.service import get_tts_service
from tts.speech import SpeechRequest

__all__ = ["ApiKey", "WarmPhrase", "WarmPhraseQuerySet"]


class WarmPhraseQuerySet(models.QuerySet["WarmPhrase"]):
    """Named queries."""

    def enabled(self) -> WarmPhraseQuerySet:
        """Those that are to be spoken, the oldest first."""
        return self.filter(enabled=True).order_by("pk")


class WarmPhrase(models.Model):
    """A phrase kept in the admin and stored ahead of its first listener."""

    text = models.TextField(_("text"))
    voice = models.CharField(
        _("voice"), max_length=200, blank=True, help_text=_("Empty: the default voice.")
    )
    language = models.CharField(
        _("language"), max_length=35, blank=True, help_text=_("A tag such as en or pt-br.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    objects = WarmPhraseQuerySet.as_manager()

    class Meta:
        verbose_name = _("phrase to warm")
        verbose_name_plural = _("phrases to warm")
        ordering = ("pk",)

    def __str__(self) -> str:
        # Without the text: the admin's log and its messages keep this.
        return gettext("phrase %(number)s") % {"number": self.pk}

    def request(self) -> SpeechRequest:
        """The request that this phrase stands for."""
        return SpeechRequest(self.text, voice=self.voice or None, language=self.language or None)

    def clean(self) -> None:
        """Refuse what the provider would refuse. Raises ValidationError."""
        try:
            get_tts_service().complete(self.request())
        except InvalidSpeechRequest as error:
            raise ValidationError(_field_errors(error)) from error
        except ImproperlyConfigured:
            pass  # A phrase may be written before speech is set up.


def _field_errors(error: InvalidSpeechRequest) -> dict[str, Any]:
    field = error.field if error.field in {"text", "voice", "language"} else "__all__"
    return {field: str(error)}
