"""The installation's counters by hour and by day, and percentiles over all processes."""

from __future__ import annotations

import pytest
from django.db import connections

from audiocache import history
from audiocache.cache import MultiTierAudioCache
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.history import DAY, HOUR, Span
from audiocache.models import Count
from audiocache.rollup import KEEP_HOURS_DAYS, roll_up
from audiocache.testing import failing, faulty_tier
from audiocache.tiers.sql.batches import BATCH
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import NOW, FakeClock

TODAY = NOW // DAY * DAY

pytestmark = ON_SQLITE


def count(name: str, period: int, value: int, resolution: str = "h") -> None:
    Count.objects.create(name=name, resolution=resolution, period=period, value=value)


def flushed(cache: MultiTierAudioCache, look_ups: int) -> None:
    for number in range(look_ups):
        cache.get(f"absent {number}")
    cache.flush()


def test_what_a_cache_did_is_there_by_hour(new_cache: NewCache, clock: FakeClock) -> None:
    cache = new_cache("sqlite")
    cache.put("a", b"1")
    flushed(cache, 3)
    clock.now += HOUR
    flushed(cache, 2)
    found = history.events(Span.last(3, now=clock.now))
    assert found["memory"]["misses"] == [0, 3, 2]
    assert found["persistent"]["misses"] == [0, 3, 2]
    assert found["memory"]["puts"] == [0, 1, 0]
    assert found["persistent"]["errors.busy"] == [0, 0, 0]
    assert set(found) == {"memory", "persistent", "distributed"}
    gets = history.latency("persistent", "get", Span.last(3, now=clock.now))
    assert gets[0.5][0] is None
    assert 0 < (gets[0.5][1] or 0) <= (gets[0.99][1] or 0)


def test_percentiles_are_those_of_all_processes_together(new_cache: NewCache) -> None:
    """Two caches stand for two processes: one quick, one slow."""
    quick, slow = new_cache("sqlite"), new_cache("sqlite")
    for cache, calls, nanoseconds in ((quick, 90, 1_000_000), (slow, 10, 900_000_000)):
        for _ in range(calls):
            cache.recorder.tiers["distributed"].took("get", nanoseconds)
        cache.flush()
    found = history.percentiles(Span.last(1, now=NOW))["distributed"]
    assert found == {"get": {0.5: 1.024, 0.95: 1048.576, 0.99: 1048.576}}
    assert "get" not in history.percentiles(Span.last(1, now=NOW - HOUR))["distributed"]


def test_days_are_made_of_folded_ones_and_of_hours() -> None:
    old = TODAY - (KEEP_HOURS_DAYS + 1) * DAY
    for hour in range(24):
        count("memory.hits", old + hour * HOUR, 2)
        count("memory.get.10", old + hour * HOUR, 1)
    count("memory.hits", TODAY, 5)
    count("memory.hits", TODAY + HOUR, 6)
    count("memory.hits", 0, 59, resolution="a")
    before = history.series(["memory.hits"], Span.last(KEEP_HOURS_DAYS + 2, DAY, now=NOW))
    roll_up(NOW)
    after = history.series(["memory.hits"], Span.last(KEEP_HOURS_DAYS + 2, DAY, now=NOW))
    assert before == after
    assert (after["memory.hits"][0], after["memory.hits"][-1]) == (48, 11)
    assert sum(after["memory.hits"]) == 59
    spans = Span(old, old + DAY, DAY)
    assert history.latency("memory", "get", spans, [0.5]) == {0.5: [1.024]}


def test_hit_rates_are_none_where_nobody_asked() -> None:
    numbers = {"hits": [3, 0, 0], "misses": [1, 2, 0]}
    assert history.hit_rates(numbers) == [0.75, 0.0, None]


def test_errors_are_told_by_kind(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")
    for error in (TierBusy, TierBusy, TierError, TierUnavailable):
        with faulty_tier(cache, "persistent", failing(error)):
            cache.get("a")
    cache.ladder.rungs[1].circuit.worked()
    cache.flush()
    found = history.events(Span.last(1, now=NOW))["persistent"]
    kinds = [found[f"errors.{kind}"][0] for kind in ("busy", "failed", "unavailable")]
    assert [sum(kinds)] == found["errors"]
    assert all(kinds)


def test_counters_of_more_than_one_statement_are_added_at_once_or_not_at_all(
    new_tier: NewTier,
) -> None:
    """What was added in part would be added again with the next flush."""
    tier = new_tier("sqlite")
    deltas = {f"memory.get.{number:03}": 1 for number in range(BATCH)}
    last = f"memory.get.{BATCH - 1:03}"
    with connections["audiocache"].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audiocache_count"
            f" WHEN NEW.name = '{last}' BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        try:
            with pytest.raises(TierError):
                tier.add_counts(deltas, NOW)
        finally:
            cursor.execute("DROP TRIGGER full")
    assert not Count.objects.exists()
    tier.add_counts(deltas, NOW)
    assert list(Count.objects.values_list("value", flat=True)) == [1] * 2 * BATCH
