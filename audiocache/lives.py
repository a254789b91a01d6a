"""Changing how long entries live, in the table and in the tiers around it.

Tiers above the table lose their copy and are back-filled from the row; those below it would
not be, and are given the entry anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from django.db.models import BigIntegerField, F, Value
from django.db.models.functions import Greatest

from audiocache.builder import get_audio_cache
from audiocache.cache import HOUR_MS, MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.conf import PERSISTENT, CacheConfig
from audiocache.entries import NEVER, life_from
from audiocache.finding import entries
from audiocache.models import EntryQuerySet
from audiocache.rows import SCHEMA_VERSION

BATCH: Final = 50
"""Clips that are held in memory at once on their way to the tiers below."""

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
    ttl, stale = _spans(config)
    if not ttl:
        return chosen.filter(expires__lt=NEVER).update(expires=NEVER, keep_until=NEVER)
    expires = Greatest(F("expires"), _ms(now_ms())) + _ms(ttl)
    # Beyond that the sum would not fit a column.
    finite = chosen.filter(expires__lt=NEVER - ttl - stale)
    return finite.update(expires=expires, keep_until=expires + _ms(stale))


def _ms(value: int) -> Value:
    """Where the server puts values in, a bare number is one of four bytes, and is cut to them."""
    return Value(value, output_field=BigIntegerField())


def _pin(chosen: EntryQuerySet, _: CacheConfig) -> int:
    return chosen.filter(pinned=False).update(pinned=True, expires=NEVER, keep_until=NEVER)


def _unpin(chosen: EntryQuerySet, config: CacheConfig) -> int:
    ttl, stale = _spans(config)
    life = life_from(now_ms(), None, default_ms=ttl, stale_ms=stale)
    return chosen.filter(pinned=True).update(
        pinned=False, expires=life.expires, keep_until=life.keep_until
    )


def _spans(config: CacheConfig) -> tuple[int, int]:
    """Life and stale window in ms."""
    return round(config.ttl_hours * HOUR_MS), round(config.stale_if_error_hours * HOUR_MS)


def _change(keys: Sequence[str], change: Change) -> int:
    cache = get_audio_cache()
    changed = 0
    for batch in _batches(keys):
        # A row of a later release is left alone (law 14).
        chosen = entries().filter(key__in=batch, schema_version__lte=SCHEMA_VERSION)
        changed += change(chosen, cache.config)
        spread(cache, batch)
    return changed


def spread(cache: MultiTierAudioCache, keys: Sequence[str]) -> None:
    """Have the other tiers lose their copies, or get the rows as they are now."""
    rungs = cache.ladder.rungs
    names = [rung.tier.name for rung in rungs]
    depth = names.index(PERSISTENT) if PERSISTENT in names else len(rungs)
    for rung in rungs[:depth]:
        rung.attempt("remove", lambda tier: tier.remove_many(keys))
    if below := rungs[depth + 1 :]:
        held = rungs[depth].attempt("get", lambda tier: tier.get_many(keys)) or {}
        for rung in below:
            rung.attempt("put", lambda tier: tier.put_many(list(held.values())))


def _batches(keys: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), BATCH):
        yield list(keys[start : start + BATCH])
