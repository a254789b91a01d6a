"""Counting: hits, misses, puts, errors and latency by tier, in this process.

Under flat names the counters of all processes are added up (`audiocache.tiers.sql.counts`):
`memory.hits`, `persistent.errors.busy`, and `persistent.get.12`, the calls that took less than
2**12 microseconds, and no less than half of that; `persistent.get.us` is what all took together.

Counters are plain integers in lists, bumped with `+=` and without a lock: CPython (with its
GIL, the only build supported) switches threads at calls and backward jumps, never inside
such a statement, which therefore adds a name or a number and not what a call gives. A stress
test with 16 threads holds this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from audiocache.exceptions import TierBusy, TierError, TierUnavailable

EVENTS: Final = ("hits", "misses", "puts", "errors", "stale", "backfills")
HITS, MISSES, PUTS, ERRORS, STALE, BACKFILLS = range(len(EVENTS))
BUCKETS: Final = 32
"""Latency buckets: bucket n holds calls below 2**n microseconds."""
OPERATIONS: Final = ("get", "put", "remove", "lease")
KINDS: Final = {TierUnavailable: "unavailable", TierBusy: "busy"}
"""Words for errors; any other is `failed`."""
FAILED: Final = "failed"
ERROR_KINDS: Final = (*KINDS.values(), FAILED)

MICROSECONDS: Final = "us"

Buckets = Mapping[str, Sequence[int]]
"""Calls by operation and bucket."""


class TierCount:
    """The counters of one tier: `counts[HITS] += 1`."""

    __slots__ = ("counts", "elapsed", "kinds", "latency")

    def __init__(self) -> None:
        self.counts = [0] * len(EVENTS)
        self.kinds = dict.fromkeys(ERROR_KINDS, 0)
        """Errors by their kind."""
        self.latency: dict[str, list[int]] = {name: [0] * BUCKETS for name in OPERATIONS}
        self.elapsed = dict.fromkeys(OPERATIONS, 0)
        """Nanoseconds of all calls together."""

    def took(self, operation: str, nanoseconds: int) -> None:
        """Note how long an operation took."""
        self.latency[operation][min((nanoseconds // 1000).bit_length(), BUCKETS - 1)] += 1
        self.elapsed[operation] += nanoseconds

    def failed(self, error: TierError) -> None:
        """Note that the tier was in trouble."""
        kind = KINDS.get(type(error), FAILED)
        self.counts[ERRORS] += 1
        self.kinds[kind] += 1


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
        figures["latency"] = {name: latencies(count.latency) for name, count in self.tiers.items()}
        return figures | self.events

    def totals(self) -> Counter[str]:
        """Every counter under one flat name, such as `memory.hits`, for flushing."""
        flat = Counter({f"cache.{name}": value for name, value in self.events.items()})
        for name, count in self.tiers.items():
            for event, value in zip(EVENTS, count.counts, strict=True):
                flat[f"{name}.{event}"] = value
        return flat

    def details(self) -> Counter[str]:
        """Errors by kind and calls by latency, under flat names; only those that there were."""
        flat: Counter[str] = Counter()
        for name, count in self.tiers.items():
            flat.update({f"{name}.errors.{kind}": n for kind, n in count.kinds.items()})
            for operation, buckets in count.latency.items():
                names = latency_names(name, operation)
                flat.update(dict(zip(names, buckets, strict=True)))
                flat[f"{name}.{operation}.{MICROSECONDS}"] = count.elapsed[operation] // 1000
        return +flat


def hit_rate(hits: int, misses: int) -> float:
    """Hits as a share of look-ups; 0.0 before the first."""
    return hits / (hits + misses) if hits + misses else 0.0


def latency_names(tier: str, operation: str) -> list[str]:
    """The flat names of the buckets of an operation."""
    return [f"{tier}.{operation}.{exponent}" for exponent in range(BUCKETS)]


def is_latency(name: str) -> bool:
    """Is it the flat name of a bucket, or of what calls took?"""
    last = name.rpartition(".")[2]
    return last.isdecimal() or last == MICROSECONDS


def latencies_of(counters: Mapping[str, int], tier: str) -> dict[str, dict[str, float]]:
    """As `latencies`, from counters by flat name."""
    return latencies(
        {
            operation: [counters.get(name, 0) for name in latency_names(tier, operation)]
            for operation in OPERATIONS
        }
    )


def latencies(calls: Buckets) -> dict[str, dict[str, float]]:
    """p50 and p99 in milliseconds by operation; operations never done are left out."""
    return {
        operation: {"p50_ms": quantile(buckets, 0.5), "p99_ms": quantile(buckets, 0.99)}
        for operation, buckets in calls.items()
        if any(buckets)
    }


def quantile(buckets: Sequence[int], share: float) -> float:
    """Upper bound in milliseconds of the bucket in which this share of the calls is reached."""
    wanted = sum(buckets) * share
    seen = 0
    for exponent, calls in enumerate(buckets):
        seen += calls
        if seen >= wanted:
            return float(2**exponent) / 1000
    return 0.0
