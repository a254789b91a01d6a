"""Changing how long entries live, in the table and in the tiers around it.

The row becomes a later one, and its trigger says so: every copy of the earlier one goes, in all
processes and tiers. Tiers above the table are back-filled from it; those below it would not be,
and are given the entry anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from django.db.models import F
from django.db.models.functions import Greatest

from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.conf import PERSISTENT, CacheConfig
from audiocache.entries import NEVER, life_from
from audiocache.finding import entries, in_ms
from audiocache.models import EntryQuerySet
from audiocache.rows import SCHEMA_VERSION
from audiocache.tiers.sql.batches import batches

BATCH: Final = 50
"""Clips that are held in memory at once on their way to the tiers below."""

LATER: Final = {"created": F("created") + 1, "revision": F("revision") + 1}
"""What makes a row a later one: by the least, for its age stays what it was."""

Change = Callable[[EntryQuerySet, CacheConfig], int]


def extend(keys: Sequence[str]) -> int:
    """Let entries live longer by the configured life; how many. Those without end stay so."""
    return _change(keys, _extend)


def pin(keys: Sequence[str]) -> int:
    """Keep entries from eviction and expiry; how many were not pinned."""
    return _change(keys, _pin)


def unpin(keys: Sequence[str]) -> int:
    """Give pinned entries the configured life from now; how many there were."""
    return _change(keys, _unpin)


def _extend(chosen: EntryQuerySet, config: CacheConfig) -> int:
    ttl, stale = config.spans_ms
    if not ttl:
        return chosen.filter(expires__lt=NEVER).update(expires=NEVER, keep_until=NEVER, **LATER)
    expires = Greatest(F("expires"), in_ms(now_ms())) + in_ms(ttl)
    # Beyond that the sum would not fit a column.
    finite = chosen.filter(expires__lt=NEVER - ttl - stale)
    return finite.update(expires=expires, keep_until=expires + in_ms(stale), **LATER)


def _pin(chosen: EntryQuerySet, _: CacheConfig) -> int:
    endless = {"pinned": True, "expires": NEVER, "keep_until": NEVER}
    return chosen.filter(pinned=False).update(**endless, **LATER)


def _unpin(chosen: EntryQuerySet, config: CacheConfig) -> int:
    ttl, stale = config.spans_ms
    life = life_from(now_ms(), None, default_ms=ttl, stale_ms=stale)
    return chosen.filter(pinned=True).update(
        pinned=False, expires=life.expires, keep_until=life.keep_until, **LATER
    )


def _change(keys: Sequence[str], change: Change) -> int:
    cache = get_audio_cache()
    changed = 0
    for batch in batches(keys, BATCH):
        # A row of a later release is left alone (law 14).
        chosen = entries().filter(key__in=batch, schema_version__lte=SCHEMA_VERSION)
        changed += change(chosen, cache.config)
        spread(cache, batch)
    return changed


def spread(cache: MultiTierAudioCache, keys: Sequence[str]) -> None:
    """Have this process's tiers lose their copies, or get the rows as they are now, unless they
    are removed meanwhile.
    """
    rungs, mark = cache.ladder.rungs, cache.ladder.mark_making()
    names = [rung.tier.name for rung in rungs]
    depth = names.index(PERSISTENT) if PERSISTENT in names else len(rungs)
    for rung in rungs[:depth]:
        rung.attempt("remove", lambda tier: tier.remove_many(keys))
    if below := rungs[depth + 1 :]:
        held = rungs[depth].attempt("get", lambda tier: tier.get_many(keys)) or {}
        for rung in below:
            cache.ladder.give(rung, list(held.values()), mark)
