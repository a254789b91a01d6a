"""What is shown of an entry, for people: sizes, ages, ends of life."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from audiocache import retirement
from audiocache.clock import now_ms
from audiocache.content_types import UNKNOWN
from audiocache.entries import NEVER
from audiocache.models import AudioCacheEntry
from audiocache.playing import playable_type

NOTHING: Final = "-"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SHOWN_TEXT: Final = 60
"""Characters of a text in the list."""


class EntryColumns:
    """Methods for `list_display` and `readonly_fields`. Only what an index orders is sortable."""

    @admin.display(description=_("key"), ordering="key")
    def short_key(self, entry: AudioCacheEntry) -> str:
        """Enough of the key to tell it from others."""
        return entry.key[:12]

    @admin.display(description=_("text"))
    def short_text(self, entry: AudioCacheEntry) -> str:
        """The beginning of the text."""
        text = entry.text or NOTHING
        return text if len(text) <= SHOWN_TEXT else f"{text[: SHOWN_TEXT - 1]}…"

    @admin.display(description=_("voice"))
    def voice_name(self, entry: AudioCacheEntry) -> str:
        """Without an order: its index begins with the provider."""
        return entry.voice or NOTHING

    @admin.display(description=_("provider"))
    def provider_name(self, entry: AudioCacheEntry) -> str:
        """The provider's name."""
        return entry.provider or NOTHING

    @admin.display(description=_("content type"))
    def audio_type(self, entry: AudioCacheEntry) -> str:
        """As it was stored."""
        return entry.content_type or NOTHING

    @admin.display(description=_("size"))
    def human_size(self, entry: AudioCacheEntry) -> str:
        """Such as 47.5 KB."""
        return filesizeformat(entry.size)

    @admin.display(description=_("duration"))
    def duration(self, entry: AudioCacheEntry) -> str:
        """Seconds, where they are known."""
        return NOTHING if entry.duration_ms is None else f"{entry.duration_ms / 1000:.2f} s"

    @admin.display(description=_("age"))
    def age(self, entry: AudioCacheEntry) -> str:
        """Since it was stored."""
        return timesince(_moment(entry.created), _moment(now_ms()), depth=1)

    @admin.display(description=_("expiry"))
    def expiry(self, entry: AudioCacheEntry) -> str:
        """How long it is fresh, how long it has been stale, or never."""
        now = now_ms()
        if entry.expires == NEVER:
            return pgettext("expiry", "never")
        if entry.expires > now:
            return gettext("in %s") % timeuntil(_moment(entry.expires), _moment(now), depth=1)
        ago = timesince(_moment(entry.expires), _moment(now), depth=1)
        return gettext("%s ago, kept as stale" if entry.keep_until > now else "%s ago") % ago

    @admin.display(description=_("hits"))
    def hit_count(self, entry: AudioCacheEntry) -> int:
        """Since it was stored first."""
        return entry.hits

    @admin.display(description=_("last used"))
    def last_used(self, entry: AudioCacheEntry) -> str:
        """Or stored, where it was not asked for since; a spare one never was."""
        if not entry.used:
            return NOTHING
        return gettext("%s ago") % timesince(_moment(entry.used), _moment(now_ms()), depth=1)

    @admin.display(description=_("pinned"), boolean=True)
    def is_pinned(self, entry: AudioCacheEntry) -> bool:
        """Neither evicted nor expired."""
        return entry.pinned

    # Of the detail page

    @admin.display(description=_("listen"))
    def player(self, entry: AudioCacheEntry) -> str:
        """A player that asks for the sound when it is started; a download for what is no audio."""
        address = reverse("admin:audiocache_audiocacheentry_audio", args=[entry.pk])
        if playable_type(entry.content_type) == UNKNOWN:
            return format_html('<a href="{}">{}</a>', address, gettext("Download"))
        return format_html('<audio controls preload="none" src="{}"></audio>', address)

    @admin.display(description=_("created"))
    def created_at(self, entry: AudioCacheEntry) -> str:
        """As a time."""
        return _shown(entry.created)

    @admin.display(description=_("fresh until"))
    def expires_at(self, entry: AudioCacheEntry) -> str:
        """As a time; none for ever."""
        return NOTHING if entry.expires == NEVER else _shown(entry.expires)

    @admin.display(description=_("kept until"))
    def kept_until(self, entry: AudioCacheEntry) -> str:
        """As a time; none for ever."""
        return NOTHING if entry.keep_until == NEVER else _shown(entry.keep_until)

    @admin.display(description=_("variant"))
    def parameters(self, entry: AudioCacheEntry) -> str:
        """The variant with room to break the line."""
        return (
            json.dumps(json.loads(entry.variant), ensure_ascii=False) if entry.variant else NOTHING
        )

    @admin.display(description=_("model gone from"))
    def retires(self, entry: AudioCacheEntry) -> str:
        """The day from which it can no longer be made."""
        day = retirement.dates().get((entry.provider, entry.model))
        return date_format(day) if day else NOTHING

    @admin.display(description=_("cost"))
    def recorded_cost(self, entry: AudioCacheEntry) -> str:
        """In the currency's unit."""
        return NOTHING if entry.cost is None else f"{entry.cost / 1_000_000:.6f}"


def _shown(ms: int) -> str:
    """In the reader's words; of UTC, as all times here."""
    return f"{date_format(_moment(ms), 'DATETIME_FORMAT')} UTC"


def _moment(ms: int) -> datetime:
    """A time that a person can be shown; one of the far future is the calendar's last."""
    try:
        return EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
