"""Folding hourly counters into daily ones, so that the table does not grow with the years."""

from __future__ import annotations

from collections import Counter
from typing import Final

from django.db import transaction

from audiocache import finding, ledger_rollup
from audiocache.clock import DAY_MS, now_ms
from audiocache.models import Count

KEEP_HOURS_DAYS: Final = 14
"""Hours stay readable as hours for so long; then they are days."""
KEEP_DAYS: Final = 3 * 366


def roll_up(now: int | None = None) -> int:
    """Fold hours older than KEEP_HOURS_DAYS into days, drop days older than KEEP_DAYS.

    Returns how many hourly rows were folded. Run again, it folds nothing twice: the hours
    leave in the same transaction in which their day grows.
    """
    today = (now or now_ms()) // DAY_MS * DAY_MS
    alias = finding.ready()
    before, forget = today - KEEP_HOURS_DAYS * DAY_MS, today - KEEP_DAYS * DAY_MS
    with transaction.atomic(using=alias):
        folded = _fold(alias, before)
        Count.objects.using(alias).filter(resolution="d", period__lt=forget).delete()
    with transaction.atomic(using=alias):
        return folded + ledger_rollup.fold(alias, before, forget)


def _fold(alias: str, before: int) -> int:
    counts = Count.objects.using(alias)
    old = counts.filter(resolution="h", period__lt=before)
    hours = list(old.select_for_update())
    days: Counter[tuple[str, int]] = Counter()
    for hour in hours:
        days[hour.name, hour.period // DAY_MS * DAY_MS] += hour.value
    for (name, day), value in sorted(days.items()):
        row, _ = counts.get_or_create(name=name, resolution="d", period=day)
        row.value += value
        row.save(using=alias)
    # Not by a list of keys: SQLite takes 32,766 values at most in a statement.
    old.filter(pk__lte=max((hour.pk for hour in hours), default=0)).delete()
    return len(hours)
