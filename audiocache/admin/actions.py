"""What the admin does to entries: remove everywhere, extend, pin, unpin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audiocache import lives
from audiocache.builder import get_audio_cache
from audiocache.finding import entries
from audiocache.models import AudioCacheEntry, EntryQuerySet

if TYPE_CHECKING:
    EntryModelAdmin = admin.ModelAdmin[AudioCacheEntry]
else:
    EntryModelAdmin = admin.ModelAdmin

MOST_REMOVED: Final = 500
"""Entries at a time: the page that asks for a confirmation holds a field for each."""
MOST_CHANGED: Final = 10_000
SHOWN: Final = 100
"""Keys on the page that asks for a confirmation."""


class EntryActions(EntryModelAdmin):
    """Removing goes through the cache, so that every tier loses the entry."""

    actions = ("delete_selected", "extend", "pin", "unpin")

    @admin.action(permissions=["delete"], description=_("Remove the selected entries everywhere"))
    def delete_selected(self, request: HttpRequest, queryset: EntryQuerySet) -> HttpResponse | None:
        """Ask, then remove from every tier."""
        if self._chosen(request, queryset, MOST_REMOVED):
            return delete_selected(self, request, queryset)
        return None

    @admin.action(permissions=["change"], description=_("Extend by the configured life"))
    def extend(self, request: HttpRequest, queryset: EntryQuerySet) -> None:
        """Let the entries live longer, in every tier."""
        if number := self._change(request, queryset, lives.extend, "extended"):
            text = ngettext("%d entry was extended.", "%d entries were extended.", number)
            self.message_user(request, text % number, messages.SUCCESS)

    @admin.action(permissions=["change"], description=_("Pin: never evicted, never expired"))
    def pin(self, request: HttpRequest, queryset: EntryQuerySet) -> None:
        """Keep the entries until they are unpinned or removed."""
        if number := self._change(request, queryset, lives.pin, "pinned"):
            text = ngettext("%d entry was pinned.", "%d entries were pinned.", number)
            self.message_user(request, text % number, messages.SUCCESS)

    @admin.action(permissions=["change"], description=_("Unpin: the configured life from now"))
    def unpin(self, request: HttpRequest, queryset: EntryQuerySet) -> None:
        """Let the entries expire and be evicted again."""
        if number := self._change(request, queryset, lives.unpin, "unpinned"):
            text = ngettext("%d entry was unpinned.", "%d entries were unpinned.", number)
            self.message_user(request, text % number, messages.SUCCESS)

    # Removing

    def delete_model(self, request: HttpRequest, obj: AudioCacheEntry) -> None:  # noqa: ARG002 - Django's signature
        """Remove one entry from every tier."""
        _remove([obj])

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:  # noqa: ARG002 - Django's signature
        """Remove entries from every tier."""
        _remove(list(queryset.only("key")))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Keys, how many, and the permission that is missing; nothing hangs on an entry."""
        keys = [str(entry) for entry in objs]
        missing = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        shown = keys[:SHOWN] + (["…"] if len(keys) > SHOWN else [])
        return shown, {str(self.opts.verbose_name_plural): len(keys)}, missing, []

    # Inside

    def _change(
        self,
        request: HttpRequest,
        queryset: EntryQuerySet,
        change: Callable[[Sequence[str]], int],
        done: str,
    ) -> int:
        chosen = self._chosen(request, queryset, MOST_CHANGED)
        number = change([entry.key for entry in chosen])
        if number:
            LogEntry.objects.log_actions(str(request.user.pk), chosen, CHANGE, done)
        elif chosen:
            self.message_user(request, _text("No entry needed it."), messages.WARNING)
        return number

    def _chosen(
        self, request: HttpRequest, queryset: EntryQuerySet, most: int
    ) -> list[AudioCacheEntry]:
        """The entries, or none and a message when they are more than can be done at a time."""
        chosen = list(queryset.only("key")[: most + 1])
        if len(chosen) <= most:
            return chosen
        text = ngettext("At most %d entry at a time.", "At most %d entries at a time.", most)
        self.message_user(request, text % most, messages.ERROR)
        return []


def _remove(chosen: Sequence[AudioCacheEntry]) -> None:
    """Through the cache; then the rows that its database tier, in trouble or off, left.

    These very rows: a clip that was made anew meanwhile has another.
    """
    get_audio_cache().discard_many(entry.key for entry in chosen)
    entries().filter(pk__in=[entry.pk for entry in chosen]).delete()
