"""Where a filter looks: at so many entries at most, whatever the table holds.

Half of what is filtered by has no index of its own: each would cost every put.
"""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from audiocache.models import AudioCacheEntry

LOOKED: Final = 10_000


def newest() -> Q:
    """The newest entries, in the order of the list."""
    ids = AudioCacheEntry.objects.order_by("-id").values_list("id", flat=True)
    # As a number: the planner knows then how few they are.
    return Q(id__gte=next(iter(ids[LOOKED - 1 : LOOKED]), 0))


def newest_of(question: Q) -> Q:
    """The newest of those of a question that is an equality on an index."""
    return first("-id", question)


def first(by: str, question: Q) -> Q:
    """Of those of a question the first by what has an index."""
    return Q(id__in=AudioCacheEntry.objects.filter(question).order_by(by).values("id")[:LOOKED])
