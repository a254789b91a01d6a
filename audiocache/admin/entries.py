"""AudioCacheEntryAdmin: a list that never reads sound, and a page to listen to an entry."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from audiocache import finding
from audiocache.admin.actions import EntryActions
from audiocache.admin.columns import EntryColumns
from audiocache.admin.filters import (
    ContentTypeFilter,
    FiltersAlone,
    PinnedFilter,
    SizeFilter,
    StateFilter,
    VoiceFilter,
)
from audiocache.admin.paging import EntryPaginator
from audiocache.admin.player import HEADERS, sound_of
from audiocache.admin.searching import search, term_of
from audiocache.models import AudioCacheEntry, EntryQuerySet
from audiocache.playing import respond

TYPED: Final = "typed"
"""What was typed into the search box: it is posted, so that no text gets into an address."""

LIST: Final = (
    "short_key", "voice_name", "provider_name", "audio_type", "human_size", "duration",
    "age", "expiry", "hit_count", "last_used", "is_pinned",
)  # fmt: skip
SOUND: Final = ("player", "audio_type", "human_size", "duration")
CLIP: Final = ("key", "namespace", "provider", "model", "voice", "language", "tags")
TEXT: Final = ("text", "variant")
"""For those who may see texts; a variant can hold instructions, which are text as well."""
LIFE: Final = (
    "created_at", "age", "expires_at", "expiry", "kept_until", "is_pinned", "hit_count",
    "last_used",
)  # fmt: skip
ORIGIN: Final = (
    "source_key", "transcoded_from", "recorded_cost", "billed_units", "retires",
)  # fmt: skip
SEES_TEXT: Final = "audiocache.view_text"


@admin.register(AudioCacheEntry)
class AudioCacheEntryAdmin(FiltersAlone, EntryColumns, EntryActions):
    """Read only but for its actions. Texts are for those with the permission `view_text`."""

    list_filter = (StateFilter, PinnedFilter, VoiceFilter, ContentTypeFilter, SizeFilter)
    list_per_page = 50
    ordering = ("-id",)
    paginator = EntryPaginator
    search_fields = ("key",)
    search_help_text = _("A whole text, a key, or the first 8 or more characters of a key.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    """Facets count the table once for each choice."""

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody writes sound by hand."""
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: AudioCacheEntry | None = None
    ) -> bool:
        """For the actions; an entry's own page has nothing to change."""
        return obj is None and super().has_change_permission(request)

    def has_text_permission(self, request: HttpRequest) -> bool:
        """May texts be shown to this user?"""
        return request.user.has_perm(SEES_TEXT)

    # What is read and shown

    def get_queryset(self, request: HttpRequest) -> EntryQuerySet:
        """Without the sound, and without texts for those who may not see them."""
        finding.ready()
        queryset = cast("EntryQuerySet", super().get_queryset(request)).without_audio()
        return queryset if self.has_text_permission(request) else queryset.defer(*TEXT)

    def get_list_display(self, request: HttpRequest) -> Any:
        """With the text's beginning for those who may see it."""
        key, *others = LIST
        text = ("short_text",) if self.has_text_permission(request) else ()
        return (key, *text, *others)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        """Sound, clip, life, origin."""
        text = ("text", "parameters") if self.has_text_permission(request) else ()
        return (
            (None, {"fields": SOUND}),
            (_("Clip"), {"fields": (*CLIP, *text)}),
            (_("Life"), {"fields": LIFE}),
            (_("Origin"), {"fields": ORIGIN}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """All."""
        groups = self.get_fieldsets(request, obj)
        return [name for _title, group in groups for name in group["fields"]]

    # Searching

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Exactly, by key or by text."""
        may_view_text = self.has_text_permission(request)
        return search(queryset, search_term.strip(), may_view_text=may_view_text), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; what is searched for becomes a term first, so that links hold no text."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        if TYPED in request.POST:
            return HttpResponseRedirect(f"?{_with_term(request, request.POST[TYPED])}")
        if typed := request.GET.get(SEARCH_VAR):
            request.GET = cast("Any", QueryDict(_with_term(request, typed)))
        return super().changelist_view(request, extra_context)

    # Listening

    def get_urls(self) -> list[URLPattern]:
        """With the address of an entry's sound."""
        view = self.admin_site.admin_view(self.audio_view, cacheable=True)
        name = f"{self.opts.app_label}_{self.opts.model_name}_audio"
        return [path("<int:pk>/audio/", view, name=name), *super().get_urls()]

    def audio_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The sound of an entry, for those who may look at it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        finding.ready()
        return respond(request, sound_of(pk), HEADERS)


def _with_term(request: HttpRequest, typed: str) -> str:
    """The list's address with another term; another search begins at its first page."""
    params = request.GET.copy()
    if TYPED in request.POST:
        params.pop(PAGE_VAR, None)
    params[SEARCH_VAR] = term_of(typed)
    return params.urlencode()
