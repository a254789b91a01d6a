"""Pages of a large table: no COUNT, and no page so deep that the database walks to it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.core.paginator import Paginator

from audiocache.admin.looking import LOOKED
from audiocache.finding import totals

if TYPE_CHECKING:
    from audiocache.models import AudioCacheEntry

    EntryPages = Paginator[AudioCacheEntry]
else:
    EntryPages = Paginator

DEEPEST: Final = 1000
"""Entries that can be leafed through; the rest is found by search and filters."""


class EntryPaginator(EntryPages):
    """Takes the whole table's count from the maintained totals, a filtered one up to DEEPEST."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        """Entries; of a filtered list never more than DEEPEST."""
        return min(self._found, DEEPEST) if self._filtered else self._found

    @cached_property
    def num_pages(self) -> int:
        """Pages down to DEEPEST entries."""
        return max(1, -(-min(self.count, DEEPEST) // self.per_page))

    @property
    def is_cut(self) -> bool:
        """Are there entries that no page shows?"""
        return self._found > DEEPEST

    @property
    def deepest(self) -> int:
        """For the page's sentence about it."""
        return DEEPEST

    @property
    def looked(self) -> int:
        """Entries that a filter looks at, where there are more; else 0."""
        return LOOKED if totals()[0] > LOOKED else 0

    @cached_property
    def _filtered(self) -> bool:
        query = self.object_list.query
        return bool(query.where) or query.is_empty()

    @cached_property
    def _found(self) -> int:
        if not self._filtered:
            return max(0, totals()[0])
        return len(self.object_list.order_by().values_list("pk")[: DEEPEST + 1])
