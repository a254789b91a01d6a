"""Mending what is stored."""

from __future__ import annotations

from typing import Final

from django.db import connections, transaction

from audiocache.builder import get_audio_cache
from audiocache.conf import PERSISTENT
from audiocache.doctor.storing import ORPHANS, TOTALS
from audiocache.finding import entries, ready
from audiocache.lives import LATER, spread
from audiocache.models import RefusedClip, Total
from audiocache.rows import SCHEMA_VERSION

BATCH: Final = 50
"""Entries whose sound is held at once."""
TAGS: Final = 500
"""Tags in one statement."""


def totals() -> int:
    """Count anew. Writers wait meanwhile, so that none is counted twice or not at all."""
    alias = ready()
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        if connections[alias].vendor == "postgresql":
            cursor.execute("LOCK TABLE audiocache_total IN EXCLUSIVE MODE")
        cursor.execute(TOTALS)
        *kept, number, size = cursor.fetchone()
        slots = Total.objects.using(alias)
        slots.update(entries=0, bytes=0)
        slots.update_or_create(slot=0, defaults={"entries": number, "bytes": size})
    return int((number, size) != tuple(kept))


def tags() -> int:
    """Delete tags of entries that are gone."""
    deleted, last = 0, TAGS
    with connections[ready()].cursor() as cursor:
        while last == TAGS:
            cursor.execute(f"DELETE FROM audiocache_tag WHERE id IN ({ORPHANS} LIMIT {TAGS})")  # noqa: S608
            last = int(cursor.rowcount)
            deleted += last
    return deleted


def checksums() -> int:
    """Read every sound as a look-up does: what is damaged is counted, and deleted."""
    cache = get_audio_cache()
    tier = cache.tiers[PERSISTENT]
    before, last = tier.counts["corrupt"], 0
    rows = entries().order_by("id").values_list("id", "key")
    while found := list(rows.filter(id__gt=last)[:BATCH]):
        tier.get_many([key for _, key in found])
        last = found[-1][0]
    return tier.counts["corrupt"] - before


def soundless() -> int:
    """Delete entries that have no sound. A look-up leaves them to the release that made them."""
    rows = entries().filter(audio__isnull=True, storage_name="", schema_version__lte=SCHEMA_VERSION)
    deleted = 0
    while ids := list(rows.order_by("id").values_list("id", flat=True)[:BATCH]):
        deleted += rows.filter(id__in=ids).delete()[0]
    return deleted


def texts() -> int:
    """Forget the texts of entries, in every tier, and of refused answers."""
    cache, done = get_audio_cache(), 0
    # A row of a later release is left alone (law 14).
    rows = entries().filter(text__isnull=False, schema_version__lte=SCHEMA_VERSION).order_by("id")
    while keys := list(rows.values_list("key", flat=True)[:BATCH]):
        done += entries().filter(key__in=keys).update(text=None, **LATER)
        spread(cache, keys)
    return done + RefusedClip.objects.filter(text__isnull=False).update(text=None)
