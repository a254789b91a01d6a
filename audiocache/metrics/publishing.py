"""Brings what the process has counted into prometheus_client's values.

The cache counts in plain integers: a hit pays nothing for being measured. When the process is
scraped, or, where several are scraped as one, every few seconds by the pulse, the difference to the
last time is added. A counter never falls: what the cache takes back is set off by what comes.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache as remembered
from typing import Final
from weakref import WeakKeyDictionary

from audiocache.builder import built_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.fork_gate import ForkGate
from audiocache.forks import RenewedLock, call_in_child, renew_in_child, unannounced
from audiocache.metrics import is_multiprocess
from audiocache.metrics.families import (
    AVAILABLE,
    BYTES,
    DURATION,
    ENTRIES,
    ERRORS,
    EVICTIONS,
    LONGEST,
    REQUESTS,
    SHORTEST,
)
from audiocache.pulse import pulse
from audiocache.stats import BUCKETS, ERROR_KINDS, MICROSECONDS, OPERATIONS, latency_names
from audiocache.upkeep import FLUSH_SECONDS, after_flush

Add = Callable[[float], object]

RESULTS: Final = {"hits": "hit", "misses": "miss", "stale": "stale"}
REASONS: Final = ("evicted", "expired", "oversize", "refused")
LATE_SECONDS: Final = 0.5
"""A flush is waited for so long beyond its time."""
DAMAGE: Final = ("corrupt", "newer_schema")

writing: Final = ForkGate()
"""Around each change of a value: a child must not find prometheus_client's lock taken."""
os.register_at_fork(before=writing.shut, after_in_parent=writing.open)
call_in_child(writing.open_in_child)


class Publisher:
    """Of the process's cache. Safe under threads and forks."""

    def __init__(self) -> None:
        self._lock = RenewedLock()
        self._told: WeakKeyDictionary[MultiTierAudioCache, Counter[str]] = WeakKeyDictionary()
        self._begun = False
        self._published = -math.inf
        """When; by the monotonic clock."""
        self.gauges: list[Callable[[MultiTierAudioCache], object]] = [_look_at_tiers]
        """What is looked at, and not counted."""
        self.counters: dict[str, Add] = {}
        """What else is counted, by flat name."""
        for family in (REQUESTS, DURATION, EVICTIONS, ERRORS):
            family.refresh = self.count
        for gauge in (ENTRIES, BYTES, AVAILABLE):
            gauge.refresh = self.look
        renew_in_child(self)

    def begin(self) -> None:
        """See that the files of several processes are written; once."""
        if is_multiprocess() and not self._begun:
            self._begun = True
            after_flush.append(self.publish_own)
            pulse.every(FLUSH_SECONDS, self.beat)
            pulse.ensure()

    def after_fork(self) -> None:
        """What the parent counted so far, it tells itself."""
        if (cache := built_audio_cache()) is not None:
            self._told[cache] = cache.counters()

    def beat(self) -> float | None:
        """The pulse's, for a cache that has nothing to flush."""
        left = self._published + FLUSH_SECONDS + LATE_SECONDS - time.monotonic()
        if left > 0 and pulse.running:  # at the end, whatever was counted since
            return left
        self.publish_own()
        if (cache := built_audio_cache()) is not None:
            cache.ladder.release()
        return None

    def publish_own(self) -> None:
        """As `publish`, unless what was counted may be another process's."""
        if not unannounced():
            self.publish()

    def publish(self) -> None:
        """Bring all of it up to date."""
        self.count()
        self.look()
        self._published = time.monotonic()

    def count(self) -> None:
        """Add what was counted since the last time."""
        if (cache := built_audio_cache()) is None:
            return
        with self._lock, writing:
            told, now = self._told.setdefault(cache, Counter()), cache.counters()
            for name, add in (_counters_of(tuple(cache.tiers)) | self.counters).items():
                if (more := now[name] - told[name]) > 0:
                    told[name] = now[name]
                    add(more)

    def look(self) -> None:
        """Set what is a state."""
        if (cache := built_audio_cache()) is not None:
            for look in self.gauges:
                look(cache)


def _look_at_tiers(cache: MultiTierAudioCache) -> None:
    """Of a tier in trouble there is nothing new; what Redis holds is not known."""
    for rung in cache.ladder.rungs:
        name = rung.tier.name
        told = rung.attempt("", lambda tier: tier.stats()) or {}
        with writing:
            AVAILABLE.labels(name).set(rung.circuit.available)
            if (entries := told.get("entry_count")) is not None:
                ENTRIES.labels(name).set(entries)
                BYTES.labels(name).set(told["total_size_bytes"])


@remembered
def _counters_of(tiers: tuple[str, ...]) -> dict[str, Add]:
    """By flat name where it is added; all are there with 0 from the beginning."""
    return dict(pair for tier in tiers for pair in (*_events(tier), *_durations(tier)))


def _events(tier: str) -> Iterator[tuple[str, Add]]:
    for event, result in RESULTS.items():
        yield f"{tier}.{event}", REQUESTS.labels(tier, result).inc
    for reason in REASONS:
        yield f"{tier}.{reason}", EVICTIONS.labels(tier, reason).inc
    for kind in ERROR_KINDS:
        yield f"{tier}.errors.{kind}", ERRORS.labels(tier, kind).inc
    for kind in DAMAGE:
        yield f"{tier}.{kind}", ERRORS.labels(tier, kind).inc


def _durations(tier: str) -> Iterator[tuple[str, Add]]:
    for operation in OPERATIONS:
        histogram = DURATION.labels(tier, operation)
        names = latency_names(tier, operation)
        for exponent in range(BUCKETS):
            bucket = min(max(exponent, SHORTEST), LONGEST + 1) - SHORTEST
            yield names[exponent], _adding(histogram.add, bucket)
        yield f"{tier}.{operation}.{MICROSECONDS}", _seconds(histogram.add_seconds)


def _adding(add: Callable[[int, float], None], bucket: int) -> Add:
    return lambda calls: add(bucket, calls)


def _seconds(add: Add) -> Add:
    return lambda microseconds: add(microseconds / 1e6)


publisher: Final = Publisher()
