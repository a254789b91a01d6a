"""What the table holds by provider, model and voice, and what it would cost to make it again."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, Sum

from audiocache import retirement
from audiocache.finding import entries
from audiocache.models import AudioCacheEntry, EntryQuerySet


class Held(NamedTuple):
    """Of one provider, model and voice."""

    provider: str
    model: str
    voice: str
    entries: int
    bytes: int
    pinned: int
    cost: int
    """Recorded, of those that a provider would be paid for again: millionths."""
    unpriced: int
    """Entries of those whose cost is not known."""
    retires: date | None = None
    """From then on the model is gone."""

    def facts(self) -> dict[str, Any]:
        """For JSON; the cost in the currency's unit."""
        return self._asdict() | {"cost": self.cost / 1_000_000}


PAID = Q(is_first=True)


def by_source() -> EntryQuerySet:
    """All rows, and of each whether it is the first one of what was paid for.

    Each format of a clip has its cost, and one of them brings the others, whichever have left.
    """
    same = AudioCacheEntry.objects.filter(source_key=OuterRef("source_key"))
    earlier = same.filter(id__lt=OuterRef("id"))
    return entries().annotate(is_first=~Exists(earlier))


def cost_to_make() -> int | None:
    """Of all that is stored, as far as it was recorded: millionths."""
    found: int | None = by_source().aggregate(cost=Sum("cost", filter=PAID))["cost"]
    return found


def inventory() -> list[Held]:
    """All kinds there are, in the order of their names: one query, along indices."""
    rows = (
        by_source()
        .values_list("provider", "model", "voice")
        .annotate(
            held=Count("id"),
            sizes=Sum("size"),
            pins=Count("id", filter=Q(pinned=True)),
            costs=Sum("cost", filter=PAID, default=0),
            unknown=Count("id", filter=PAID & Q(cost=None)),
        )
        .order_by("provider", "model", "voice")
    )
    gone = retirement.dates()
    return [Held._make((*row, gone.get((row[0], row[1])))) for row in rows]
