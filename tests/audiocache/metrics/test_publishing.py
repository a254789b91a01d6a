"""What the cache counts in plain integers is what a scrape of the default registry shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from audiocache import upkeep
from audiocache.builder import replace_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.entries import Recording
from audiocache.exceptions import TierUnavailable
from audiocache.keys import clip_of
from audiocache.metrics import families, publishing
from audiocache.metrics.publishing import publisher
from audiocache.pulse import pulse
from audiocache.testing import failing, faulty_tier
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import FakeClock

pytestmark = ON_SQLITE


@pytest.fixture
def cache(new_cache: NewCache, new_tier: NewTier) -> Iterator[MultiTierAudioCache]:
    """The process's."""
    cache = new_cache(tiers=[new_tier("memory", max_entries=2), new_tier("sqlite")])
    before = replace_audio_cache(cache)
    yield cache
    replace_audio_cache(before)


class Since:
    """Values of the registry since the test began: it is the process's."""

    def __init__(self) -> None:
        self._before = self._values()

    def __call__(self, name: str, **labels: str) -> float:
        key = name, tuple(sorted(labels.items()))
        return self._values()[key] - self._before.get(key, 0.0)

    @staticmethod
    def _values() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }


def test_each_counter_has_its_metric(cache: MultiTierAudioCache, clock: FakeClock) -> None:
    since = Since()
    for text in "abc":
        cache.put(text, b"sound")
    for text in ("c", "c", "a", "absent"):
        cache.get(text)
    assert since("audiocache_requests_total", tier="memory", result="hit") == 2
    assert since("audiocache_requests_total", tier="memory", result="miss") == 2
    assert since("audiocache_requests_total", tier="persistent", result="hit") == 1
    assert since("audiocache_requests_total", tier="persistent", result="miss") == 1
    # "a" left for "c", and "b" for "a", which was found below.
    assert since("audiocache_evictions_total", tier="memory", reason="evicted") == 2
    assert REGISTRY.get_sample_value("audiocache_entries", {"tier": "memory"}) == 2
    assert REGISTRY.get_sample_value("audiocache_entries", {"tier": "persistent"}) == 3
    assert REGISTRY.get_sample_value("audiocache_stored_bytes", {"tier": "persistent"}) == 15
    assert REGISTRY.get_sample_value("audiocache_tier_available", {"tier": "memory"}) == 1


def test_a_scrape_counts_nothing_itself(cache: MultiTierAudioCache) -> None:
    cache.get("absent")
    since = Since()
    assert [
        (key, value)
        for key, value in since._values().items()
        if key[0].startswith("audiocache_") and value != since._before[key]
    ] == []


def test_durations_are_in_the_bucket_of_their_length(cache: MultiTierAudioCache) -> None:
    since, name = Since(), "audiocache_operation_duration_seconds"
    for microseconds in (1, 31, 40, 9_000_000):
        cache.recorder.tiers["persistent"].took("lease", microseconds * 1000)
    labels = {"tier": "persistent", "operation": "lease"}
    buckets = {le: since(f"{name}_bucket", le=le, **labels) for le in ("3.2e-05", "6.4e-05")}
    assert buckets == {"3.2e-05": 2, "6.4e-05": 3}
    assert since(f"{name}_bucket", le="8.388608", **labels) == 3
    assert since(f"{name}_count", **labels) == 4
    assert since(f"{name}_sum", **labels) == pytest.approx(9.000072)


def test_trouble_is_told_by_its_kind_and_the_tier_is_away(cache: MultiTierAudioCache) -> None:
    since = Since()
    with faulty_tier(cache, "persistent", failing(TierUnavailable)):
        cache.get("absent")
        assert since("audiocache_errors_total", tier="persistent", kind="unavailable") >= 1
        assert since("audiocache_errors_total", tier="persistent", kind="busy") == 0
        available = REGISTRY.get_sample_value("audiocache_tier_available", {"tier": "persistent"})
        assert available == 0


def test_a_counter_never_falls(cache: MultiTierAudioCache) -> None:
    """A look-up that memory may not be trusted for is taken back, and made again."""
    since = Since()
    counts = cache.recorder.tiers["memory"].counts
    seen = []
    for change in (2, -1, 0, 1, 1):
        counts[1] += change
        seen.append(since("audiocache_requests_total", tier="memory", result="miss"))
    assert seen == [2, 2, 2, 2, 3]


def test_another_cache_in_its_place_begins_with_nothing(
    cache: MultiTierAudioCache, new_cache: NewCache
) -> None:
    cache.get("absent")
    since = Since()
    replace_audio_cache(new_cache("sqlite")).get("absent")  # type: ignore[union-attr]
    assert since("audiocache_requests_total", tier="memory", result="miss") == 0


def test_a_child_tells_nothing_that_its_parent_counted(cache: MultiTierAudioCache) -> None:
    since = Since()
    cache.get("absent")
    publisher.after_fork()
    cache.get("absent")
    assert since("audiocache_requests_total", tier="memory", result="miss") == 1


def test_without_a_cache_there_is_nothing_to_count() -> None:
    before = replace_audio_cache(None)
    try:
        assert list(families.REQUESTS.collect())
    finally:
        replace_audio_cache(before)


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Several processes are scraped as one: each writes what it counted by itself."""
    monkeypatch.setattr(publishing, "is_multiprocess", lambda: True)
    publisher.begin()
    yield
    pulse.forget(publisher.beat)
    upkeep.after_flush.remove(publisher.publish_own)
    publisher._begun = False


@pytest.mark.usefixtures("several")
def test_what_hits_saved_is_told_by_the_flush_that_reckons_it(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setitem(publisher.counters, upkeep.SAVED, told.append)
    clip = clip_of("Hello", {})
    cache.store(clip, Recording(audio=b"sound", cost=21))
    publisher.beat()
    for _ in range(3):
        assert cache.find(clip)
    cache._upkeep.beat()
    assert told == [63]


@pytest.mark.usefixtures("several")
def test_between_two_flushes_nothing_is_told_but_at_the_end(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setitem(publisher.counters, "memory.misses", told.append)
    publisher.publish()
    cache.get("absent")
    pulse.ensure()
    left = publisher.beat()
    assert told == []
    assert left is not None
    assert 0 < left <= upkeep.FLUSH_SECONDS + publishing.LATE_SECONDS
    pulse.stop()
    publisher.beat()
    assert told == [1]
