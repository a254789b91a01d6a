"""Phrases to warm in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tts import accounts_admin, quarantine_admin  # noqa: F401 - register themselves
from tts.access import admin as access_admin  # noqa: F401 - registers itself
from tts.models import WarmPhrase

if TYPE_CHECKING:
    PhraseAdmin = admin.ModelAdmin[WarmPhrase]
else:
    PhraseAdmin = admin.ModelAdmin


@admin.register(WarmPhrase)
class WarmPhraseAdmin(PhraseAdmin):
    """List, switch on and off. No search by text: it would stand in the address."""

    list_display = ("beginning", "voice", "language", "enabled", "created")
    list_filter = ("enabled", "voice", "language")
    readonly_fields = ("created",)
    actions = ("enable", "disable")

    @admin.display(description=_("text"), ordering="text")
    def beginning(self, phrase: WarmPhrase) -> str:
        """Of the text."""
        return Truncator(phrase.text).chars(60)

    @admin.action(permissions=["change"], description=_("Warm the selected phrases"))
    def enable(self, request: HttpRequest, phrases: QuerySet[WarmPhrase]) -> None:
        """Have them spoken ahead of time."""
        self._switch(request, phrases, on=True)

    @admin.action(permissions=["change"], description=_("Do not warm the selected phrases"))
    def disable(self, request: HttpRequest, phrases: QuerySet[WarmPhrase]) -> None:
        """Leave them to their first listener; what is stored stays."""
        self._switch(request, phrases, on=False)

    def _switch(self, request: HttpRequest, phrases: QuerySet[WarmPhrase], *, on: bool) -> None:
        number = phrases.update(enabled=on)
        message = ngettext("%d phrase was changed.", "%d phrases were changed.", number)
        self.message_user(request, message % number)
