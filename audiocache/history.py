"""What the installation's counters were, hour by hour or day by day: for pages and people.

Hours stay for two weeks, then they are days (`audiocache.rollup`). Of the hour and the day under
way there is what was flushed so far.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import F, Sum

from audiocache import finding
from audiocache.clock import DAY_MS, HOUR_MS, now_ms
from audiocache.conf import TIER_NAMES
from audiocache.models import Count
from audiocache.stats import ERROR_KINDS, EVENTS, OPERATIONS, latency_names, quantile
from audiocache.tiers.base import LEAVINGS

SHARES: Final = (0.5, 0.95, 0.99)
HOUR: Final = HOUR_MS
DAY: Final = DAY_MS


@dataclass(frozen=True, slots=True)
class Span:
    """From an instant (ms, included) to another (excluded), in steps of HOUR or DAY, UTC."""

    since: int
    until: int
    step: int = HOUR

    @classmethod
    def last(cls, number: int, step: int = HOUR, now: int | None = None) -> Span:
        """So many hours or days, the one under way included."""
        end = (now or now_ms()) // step * step + step
        return cls(end - number * step, end, step)

    @property
    def periods(self) -> list[int]:
        """When each step begins."""
        return list(range(self.since // self.step * self.step, self.until, self.step))


def names(tier: str) -> list[str]:
    """The counters of a tier, but for latency: `memory.hits`, `memory.errors.busy`, ..."""
    kinds = [f"errors.{kind}" for kind in ERROR_KINDS]
    return [f"{tier}.{what}" for what in (*EVENTS, *LEAVINGS, *kinds)]


def series(wanted: Collection[str], span: Span) -> dict[str, list[int]]:
    """The values of counters in each period of the span; 0 where nothing was counted."""
    found: Counter[tuple[str, int]] = Counter()
    for name, period, value in _rows(wanted, span):
        found[name, period] = value
    return {name: [found[name, period] for period in span.periods] for name in wanted}


def events(span: Span, tiers: Sequence[str] = TIER_NAMES) -> dict[str, dict[str, list[int]]]:
    """By tier and event (hits, evicted, errors.busy, ...) the numbers of each period."""
    found = series([name for tier in tiers for name in names(tier)], span)
    return {
        tier: {name.removeprefix(f"{tier}."): found[name] for name in names(tier)} for tier in tiers
    }


def latency(
    tier: str, operation: str, span: Span, shares: Sequence[float] = SHARES
) -> dict[float, list[float | None]]:
    """Percentiles in milliseconds of each period by share; None where there was no call."""
    found = series(latency_names(tier, operation), span)
    calls = list(zip(*found.values(), strict=True))
    return {share: [_quantile(one, share) for one in calls] for share in shares}


def percentiles(
    span: Span, shares: Sequence[float] = SHARES, tiers: Sequence[str] = TIER_NAMES
) -> dict[str, dict[str, dict[float, float]]]:
    """Percentiles in milliseconds of the whole span, by tier, operation and share."""
    wanted = {(tier, done): latency_names(tier, done) for tier in tiers for done in OPERATIONS}
    found = series([name for names in wanted.values() for name in names], span)
    told: dict[str, dict[str, dict[float, float]]] = {tier: {} for tier in tiers}
    for (tier, operation), buckets in wanted.items():
        calls = [sum(found[name]) for name in buckets]
        if any(calls):
            told[tier][operation] = {share: quantile(calls, share) for share in shares}
    return told


def hit_rates(numbers: Mapping[str, Sequence[int]]) -> list[float | None]:
    """Hits as a share of look-ups in each period, of one tier's `events`; None without any."""
    pairs = zip(numbers["hits"], numbers["misses"], strict=True)
    return [hits / (hits + misses) if hits + misses else None for hits, misses in pairs]


def _quantile(calls: Sequence[int], share: float) -> float | None:
    return quantile(calls, share) if any(calls) else None


def _rows(wanted: Collection[str], span: Span) -> list[tuple[str, int, int]]:
    """Name, step and sum of the hours in the span, and of the days for steps of days."""
    resolutions = ["h"] if span.step < DAY else ["h", "d"]
    begin = span.since // span.step * span.step
    counts = Count.objects.using(finding.ready())
    counts = counts.filter(resolution__in=resolutions, name__in=wanted)
    of_span = counts.filter(period__gte=begin, period__lt=span.until)
    # Added up where they lie: a year of hours is some hundred thousand rows.
    steps = of_span.annotate(start=F("period") - F("period") % span.step)
    sums = steps.values("name", "start").annotate(sum=Sum("value")).order_by()
    return list(sums.values_list("name", "start", "sum"))
