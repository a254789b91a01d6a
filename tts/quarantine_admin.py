"""Refused clips in the admin: why they were refused, listen, accept, discard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audiocache import finding
from audiocache.admin.filters import FiltersAlone
from audiocache.admin.player import HEADERS, sound_from
from audiocache.content_types import UNKNOWN
from audiocache.models import RefusedClip
from audiocache.playing import Sound, respond
from tts.quarantine_columns import RefusedColumns
from tts.verdicts import accept, discard

if TYPE_CHECKING:
    RefusedModelAdmin = admin.ModelAdmin[RefusedClip]
else:
    RefusedModelAdmin = admin.ModelAdmin

DISCARD: Final = _("Discard, and ask the provider again")
SEES_TEXT: Final = "audiocache.view_text"
SOUND: Final = ("player", "content_type", "human_size", "duration")
REFUSAL: Final = ("reason", "times", "refused_since", "refused_at", "refused_until")
CLIP: Final = ("key", "source_key", "namespace", "provider", "model", "voice", "language")
TEXT: Final = ("text", "variant")
"""For those who may see texts; a variant can hold instructions, which are text as well."""


@admin.register(RefusedClip)
class RefusedClipAdmin(FiltersAlone, RefusedColumns, RefusedModelAdmin):
    """Read only but for its actions; texts are for those with the permission `view_text`."""

    list_display = (
        "__str__", "reason", "provider", "voice", "times", "human_size", "duration",
        "refused_at", "refused_until", "player",
    )  # fmt: skip
    list_filter = ("kept", "provider")
    list_per_page = 25
    ordering = ("-refused", "-id")
    actions = ("accept", "delete_selected")
    show_full_result_count = False

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Refusals are not written by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: RefusedClip | None = None) -> bool:
        """For the actions; a clip's own page has nothing to change."""
        return obj is None and super().has_change_permission(request)

    def has_text_permission(self, request: HttpRequest) -> bool:
        """May texts be shown to this user?"""
        return request.user.has_perm(SEES_TEXT)

    # Accepting and discarding

    @admin.action(permissions=["change"], description=_("Accept: it is sound, store it"))
    def accept(self, request: HttpRequest, queryset: QuerySet[RefusedClip]) -> None:
        """Store the selected clips under their keys."""
        chosen = list(queryset)
        if stored := accept(chosen):
            LogEntry.objects.log_actions(str(request.user.pk), stored, CHANGE, "accepted")
            text = ngettext("%d clip was stored.", "%d clips were stored.", len(stored))
            self.message_user(request, text % len(stored), messages.SUCCESS)
        if left := len(chosen) - len(stored):
            text = ngettext(
                "%d clip has no bytes any more, or no tier took it.",
                "%d clips have no bytes any more, or no tier took them.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)

    def get_actions(self, request: HttpRequest) -> Any:
        """With the name that deleting has here."""
        actions: dict[str, Any] = super().get_actions(request)
        if discarding := actions.get("delete_selected"):
            actions["delete_selected"] = (*discarding[:2], DISCARD)
        return actions

    def delete_model(self, request: HttpRequest, obj: RefusedClip) -> None:  # noqa: ARG002 - Django's signature
        """Discard one."""
        discard([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RefusedClip]) -> None:  # noqa: ARG002 - Django's signature
        """Discard many."""
        discard(queryset)

    # What is read and shown

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefusedClip]:
        """Without the sound, and without texts for those who may not see them."""
        finding.ready()
        queryset = super().get_queryset(request).defer("audio", "timings")
        return queryset if self.has_text_permission(request) else queryset.defer(*TEXT)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        """Sound, refusal, clip."""
        text = TEXT if self.has_text_permission(request) else ()
        return (
            (None, {"fields": SOUND}),
            (_("Refusal"), {"fields": REFUSAL}),
            (_("Clip"), {"fields": (*CLIP, *text)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All."""
        groups = self.get_fieldsets(request, obj)
        return [name for _title, group in groups for name in group["fields"]]

    # Listening

    def get_urls(self) -> list[URLPattern]:
        """With the address of a clip's bytes."""
        view = self.admin_site.admin_view(self.audio_view, cacheable=True)
        name = "audiocache_refusedclip_audio"
        return [path("<int:pk>/audio/", view, name=name), *super().get_urls()]

    def audio_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refused bytes, for those who may look at them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        finding.ready()
        sound = _sound_of(pk)
        # What is no audio may be a message that repeats the text.
        if sound.content_type == UNKNOWN and not self.has_text_permission(request):
            raise PermissionDenied
        return respond(request, sound, HEADERS)


def _sound_of(pk: int) -> Sound:
    """Raises Http404."""
    row = RefusedClip.objects.filter(pk=pk).only("key", "times", "content_type", "audio").first()
    if row is None or not row.audio:
        raise Http404(f"there are no bytes of refused clip {pk}")
    return sound_from(row.key, row.times, row.content_type, row.audio)
