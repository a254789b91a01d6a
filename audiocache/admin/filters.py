"""Filters of the list. Their choices are fixed, or led to by an index: no look at every row.

Nor do they look at every row for what is chosen: see `admin.looking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import F, Q
from django.db.models.lookups import GreaterThan
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audiocache import retirement
from audiocache.admin.looking import first, newest, newest_of
from audiocache.clock import DAY_MS, now_ms
from audiocache.conf import KIB, MIB
from audiocache.configuring import text
from audiocache.content_types import EXTENSIONS
from audiocache.finding import Kind, in_ms, kinds

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django_stubs_ext import StrPromise

    from audiocache.models import AudioCacheEntry

    Rows = QuerySet[AudioCacheEntry]
    Choices = Iterable[tuple[str, "StrPromise | str"]]

OTHER: Final = "other"


class FiltersAlone:
    """Of an admin: its filters are the only look-ups that an address may ask for.

    `?text__startswith=` would be a way around the permission to see texts.
    """

    list_filter: ClassVar[Any]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:  # noqa: ARG002 - Django's signature
        """Is it one of a filter?"""
        return any(lookup in _lookups_of(each) for each in self.list_filter)


def _lookups_of(each: Any) -> tuple[str, ...]:
    if isinstance(each, str):
        return (each, f"{each}__exact", f"{each}__isnull")
    return (each.parameter_name,)


class FixedFilter(admin.SimpleListFilter):
    """A filter with `choices_` that are the same for every table."""

    choices_: ClassVar[Any]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:  # noqa: ARG002 - Django's signature
        """The choices."""
        return list(self.choices_)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """The rows of the choice; all when none is made, or one that does not exist."""
        value = self.value()
        if value is None or value not in dict(self.choices_):
            return queryset
        among = self.among(value)
        narrow = narrowed(request) if among else None
        return queryset.filter(among if narrow is None else narrow, self.question(value))

    def among(self, value: str) -> Q:  # noqa: ARG002 - overrides choose by the value
        """The rows that are looked at."""
        return newest()

    if TYPE_CHECKING:

        def question(self, value: str) -> Q:
            """What a choice asks of a row."""


class StateFilter(FixedFilter):
    """Fresh; stale: kept to be served when the provider fails; or past its time."""

    title = _("state")
    parameter_name = "state"
    choices_ = (
        ("fresh", _("Fresh")),
        ("soon", _("Expires within a day")),
        ("stale", _("Stale")),
        ("expired", _("Expired")),
    )

    def question(self, value: str) -> Q:
        """By the two instants of an entry."""
        now = now_ms()
        return {
            # Without its index, which leads through all that are older first.
            "fresh": Q(GreaterThan(F("expires") + in_ms(0), in_ms(now))),
            "soon": Q(expires__gt=now, expires__lte=now + DAY_MS),
            "stale": Q(expires__lte=now, keep_until__gt=now),
            "expired": Q(keep_until__lte=now),
        }[value]

    def among(self, value: str) -> Q:
        """Those whose instant comes next, or came first."""
        now = now_ms()
        return {
            "fresh": newest(),
            "soon": first("expires", Q(expires__gt=now)),
            "stale": first("keep_until", Q(keep_until__gt=now)),
            "expired": first("keep_until", Q(keep_until__lte=now)),
        }[value]


class PinnedFilter(FixedFilter):
    """Pinned or not."""

    title = _("pinned")
    parameter_name = "pinned"
    choices_ = (("yes", _("Yes")), ("no", _("No")))

    def question(self, value: str) -> Q:
        """By the mark."""
        return Q(pinned=value == "yes")

    def among(self, value: str) -> Q:
        """Those that are have an index in the order of the list."""
        return Q() if value == "yes" else newest()


class ContentTypeFilter(FixedFilter):
    """One of the kinds of audio that are known here, or any other."""

    title = _("content type")
    parameter_name = "type"
    choices_ = (*((name, name) for name in EXTENSIONS), (OTHER, _("Other")))

    def question(self, value: str) -> Q:
        """By equality."""
        return ~Q(content_type__in=EXTENSIONS) if value == OTHER else Q(content_type=value)


class SizeFilter(FixedFilter):
    """Four classes of size."""

    title = _("size")
    parameter_name = "size"
    choices_ = (
        ("small", _("Below 16 KiB")),
        ("medium", _("16 to 256 KiB")),
        ("large", _("256 KiB to 1 MiB")),
        ("huge", _("1 MiB and above")),
    )

    def question(self, value: str) -> Q:
        """By the bytes of audio."""
        return {
            "small": Q(size__lt=16 * KIB),
            "medium": Q(size__gte=16 * KIB, size__lt=256 * KIB),
            "large": Q(size__gte=256 * KIB, size__lt=MIB),
            "huge": Q(size__gte=MIB),
        }[value]


class VoiceFilter(admin.SimpleListFilter):
    """A provider, or one of its voices."""

    title = _("provider and voice")
    parameter_name = "voice"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:  # noqa: ARG002 - Django's signature
        """Each provider, and behind it its voices; a value is the list of their names."""
        choices: dict[str, str] = {}
        gone = retirement.dates()
        for kind in kinds():
            choices[json.dumps([kind.provider])] = kind.provider or "-"
            day = gone.get((kind.provider, kind.model))
            end = gettext(" (gone from %s)") % day if day else ""
            choices[json.dumps(kind)] = " · ".join(name or "-" for name in kind) + end
        return list(choices.items()) if len(choices) > 2 else []

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        """Equality on the first columns of an index; on all of them, it has the list's order."""
        names = _names(self.value())
        if len(names) in {0, len(Kind._fields)} or is_search(request):
            return queryset.filter(**names)
        return queryset.filter(first("voice", Q(**names)), **names)


def is_search(request: HttpRequest) -> bool:
    """Then there are few rows, and an index leads to them."""
    return bool(request.GET.get(SEARCH_VAR, "").strip())


def narrowed(request: HttpRequest) -> Q | None:
    """Where the other filters look, as something leads there: a search, or one voice."""
    if is_search(request):
        return Q()
    names = _names(request.GET.get(VoiceFilter.parameter_name))
    return newest_of(Q(**names)) if len(names) == len(Kind._fields) else None


def _names(value: str | None) -> dict[str, str]:
    """The fields of a choice; none when it is not one."""
    try:
        names = json.loads(value or "[]")
        fits = isinstance(names, list) and all(text(name) is not None for name in names)
    except (ValueError, RecursionError):
        return {}
    whole = fits and len(names) in {1, len(Kind._fields)}
    return dict(zip(Kind._fields, names, strict=False)) if whole else {}
