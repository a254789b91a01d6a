"""What is shown of a refused clip, for people."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audiocache.clock import utc
from audiocache.content_types import UNKNOWN
from audiocache.models import RefusedClip
from audiocache.playing import playable_type

NOTHING: Final = "-"


class RefusedColumns:
    """Methods for `list_display` and `readonly_fields`."""

    @admin.display(description=_("size"))
    def human_size(self, clip: RefusedClip) -> str:
        """Such as 47.5 KB."""
        return filesizeformat(clip.size)

    @admin.display(description=_("duration"))
    def duration(self, clip: RefusedClip) -> str:
        """Seconds, where they are known."""
        return NOTHING if clip.duration_ms is None else f"{clip.duration_ms / 1000:.2f} s"

    @admin.display(description=_("refused first"), ordering="since")
    def refused_since(self, clip: RefusedClip) -> datetime:
        """As a time."""
        return utc(clip.since)

    @admin.display(description=_("refused last"), ordering="refused")
    def refused_at(self, clip: RefusedClip) -> datetime:
        """As a time."""
        return utc(clip.refused)

    @admin.display(description=_("not asked again before"), ordering="until")
    def refused_until(self, clip: RefusedClip) -> datetime:
        """As a time."""
        return utc(clip.until)

    @admin.display(description=_("listen"))
    def player(self, clip: RefusedClip) -> str:
        """Asks for the sound when it is started; a download for what is no audio."""
        if not clip.kept:
            return gettext("The bytes are not kept.")
        address = reverse("admin:audiocache_refusedclip_audio", args=[clip.pk])
        if playable_type(clip.content_type) == UNKNOWN:
            return format_html('<a href="{}">{}</a>', address, gettext("Download"))
        return format_html('<audio controls preload="none" src="{}"></audio>', address)
