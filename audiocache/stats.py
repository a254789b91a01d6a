"""Counting: hits, misses, puts, errors and latency by tier, in this process.

Counters are plain integers in lists, bumped with `+=` and without a lock: CPython (with its
GIL, the only build supported) switches threads at calls and backward jumps, never inside
such a statement, which therefore adds a name or a number and not what a call gives. A stress
test with 16 threads holds this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

EVENTS: Final = ("hits", "misses", "puts", "errors", "stale", "backfills")
HITS, MISSES, PUTS, ERRORS, STALE, BACKFILLS = range(len(EVENTS))
BUCKETS: Final = 32
"""Latency buckets: bucket n holds calls below 2**n microseconds."""


class TierCount:
    """The counters of one tier: `counts[HITS] += 1`."""

    __slots__ = ("counts", "latency")

    def __init__(self) -> None:
        self.counts = [0] * len(EVENTS)
        self.latency: dict[str, list[int]] = {
            operation: [0] * BUCKETS for operation in ("get", "put", "remove", "lease")
        }

    def took(self, operation: str, nanoseconds: int) -> None:
        """Note how long an operation took."""
        self.latency[operation][min((nanoseconds // 1000).bit_length(), BUCKETS - 1)] += 1


class Recorder:
    """All counters of one cache in this process."""

    def __init__(self, tiers: Iterable[str], *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.tiers = {name: TierCount() for name in tiers}
        self.events = dict.fromkeys(("created", "joined", "unstored"), 0)
        """Clips made on a miss; callers who shared a making; clips that no tier took."""

    def bump(self, event: str) -> None:
        """Count an event beside the tiers: created, joined, unstored."""
        if self.enabled:
            self.events[event] += 1

    def count_for(self, tier: str) -> TierCount:
        """Where to count for a tier; a counter nobody reads when statistics are off."""
        return self.tiers[tier] if self.enabled else TierCount()

    def performance(self) -> dict[str, Any]:
        """Counts, hit rates and latency by tier; see DESIGN, Statistics."""
        figures: dict[str, Any] = {
            event: {name: count.counts[index] for name, count in self.tiers.items()}
            for index, event in enumerate(EVENTS)
        }
        for name, count in self.tiers.items():
            figures[f"{name}_hit_rate"] = hit_rate(count.counts[HITS], count.counts[MISSES])
        figures["latency"] = {name: latencies(count) for name, count in self.tiers.items()}
        return figures | self.events

    def totals(self) -> Counter[str]:
        """Every counter under one flat name, such as `memory.hits`, for flushing."""
        flat = Counter({f"cache.{name}": value for name, value in self.events.items()})
        for name, count in self.tiers.items():
            for event, value in zip(EVENTS, count.counts, strict=True):
                flat[f"{name}.{event}"] = value
        return flat


def hit_rate(hits: int, misses: int) -> float:
    """Hits as a share of look-ups; 0.0 before the first."""
    return hits / (hits + misses) if hits + misses else 0.0


def latencies(count: TierCount) -> dict[str, dict[str, float]]:
    """p50 and p99 in milliseconds by operation; operations never done are left out."""
    return {
        operation: {"p50_ms": quantile(buckets, 0.5), "p99_ms": quantile(buckets, 0.99)}
        for operation, buckets in count.latency.items()
        if any(buckets)
    }


def quantile(buckets: list[int], share: float) -> float:
    """Upper bound in milliseconds of the bucket in which this share of the calls is reached."""
    wanted = sum(buckets) * share
    seen = 0
    for exponent, calls in enumerate(buckets):
        seen += calls
        if seen >= wanted:
            return float(2**exponent) / 1000
    return 0.0
