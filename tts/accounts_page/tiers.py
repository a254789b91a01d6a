"""What the tiers hold now, and what all processes asked of them in a span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from audiocache import get_audio_cache, history
from audiocache.cache import MultiTierAudioCache
from audiocache.history import Span
from audiocache.upkeep import SAVED

EVENTS: Final = ("hits", "misses", "evicted")

Counts = Mapping[str, Sequence[int]]
"""By name the values of each step."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier."""

    name: str
    now: Mapping[str, Any]
    """As `get_comprehensive_stats()` has it."""
    shared: bool
    """Its entries are those of the installation, not of this process alone."""
    events: Counts
    took: Mapping[str, Mapping[float, float]]
    """Percentiles in ms, by operation."""

    @property
    def hits(self) -> int:
        """Of the span."""
        return sum(self.events["hits"])

    @property
    def misses(self) -> int:
        """Of the span."""
        return sum(self.events["misses"])

    @property
    def evicted(self) -> int:
        """Of the span."""
        return sum(self.events["evicted"])

    @property
    def rates(self) -> list[float | None]:
        """Hit rates, step by step."""
        return history.hit_rates(self.events)

    @property
    def hit_rate(self) -> float | None:
        """Of the whole span; None: nobody asked."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None

    @property
    def entries_fill(self) -> float | None:
        """How much of the limit of entries is used; None: there is none, or it is not known."""
        return self._fill("entry_count", "max_entries")

    @property
    def bytes_fill(self) -> float | None:
        """The same of bytes."""
        return self._fill("total_size_bytes", "max_bytes")

    def _fill(self, used: str, limit: str) -> float | None:
        most, has = self.now.get(limit), self.now.get(used)
        return min(1.0, has / most) if most and has is not None else None


def counted(span: Span, *, kept: bool) -> Counts:
    """The counters that the page shows, read at once; zeros where none are kept."""
    tiers = list(get_audio_cache().tiers)
    names = [f"{tier}.{event}" for tier in tiers for event in EVENTS]
    names.append(SAVED)
    return history.series(names, span) if kept else dict.fromkeys(names, [0] * len(span.periods))


def tiers(counts: Counts, latest: Span, *, kept: bool) -> list[Tier]:
    """In their order; how long they took of the `latest` span."""
    cache = get_audio_cache()
    backends = cache.get_comprehensive_stats()["backends"]
    took = history.percentiles(latest, tiers=list(cache.tiers)) if kept else {}
    return [_tier(cache, name, backends[name], counts, took.get(name, {})) for name in cache.tiers]


def _tier(
    cache: MultiTierAudioCache,
    name: str,
    now: Mapping[str, Any],
    counts: Counts,
    took: Mapping[str, Mapping[float, float]],
) -> Tier:
    events = {event: counts[f"{name}.{event}"] for event in EVENTS}
    return Tier(name, now, cache.tiers[name].shared, events, took)
