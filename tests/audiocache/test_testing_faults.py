"""`audiocache.testing`'s faults in front of real tiers and of a provider."""

from __future__ import annotations

import time
from typing import Any

import pytest

from audiocache.cache import MultiTierAudioCache
from audiocache.exceptions import TierBusy
from audiocache.testing import (
    Fault,
    at_random,
    corrupting,
    failing,
    faulty_provider,
    faulty_tier,
    losing_answers,
    slow,
    stalling,
    with_faults,
)
from audiocache.tiers.base import Tier
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.tts.doubles import StubProvider
from tts import NotAudio, ProviderError, TTSConfig, TTSService
from tts.retry import without_waits

pytestmark = ON_SQLITE
LOWER = ("persistent", "distributed")


@pytest.fixture
def cache(new_cache: NewCache, new_tier: NewTier) -> MultiTierAudioCache:
    """Memory that holds nothing for long, so that the others are asked."""
    small = new_tier("memory", max_entries=1)
    return new_cache(tiers=[small, new_tier("sqlite"), new_tier("redis")])


def forget(cache: MultiTierAudioCache) -> None:
    cache.tiers["memory"].clear()


def errors(cache: MultiTierAudioCache, tier: str) -> int:
    number: int = cache.get_comprehensive_stats()["performance"]["errors"][tier]
    return number


@pytest.mark.parametrize("tier", LOWER)
@pytest.mark.parametrize("fault", [failing(), stalling(0.01)])
def test_a_tier_that_gives_no_answer_is_a_miss_and_back_at_once(
    cache: MultiTierAudioCache, tier: str, fault: Fault
) -> None:
    cache.put("Hello", b"sound")
    forget(cache)
    with faulty_tier(cache, tier, fault) as asked:
        for other in LOWER:
            found = cache.tiers[other].get(cache.clip("Hello").key)
            assert found is not None  # the tier itself is sound
        assert cache.get("Hello") == b"sound"
        forget(cache)
        assert cache.get("Hello") == b"sound"
        assert cache.get("unknown") is None
        assert errors(cache, tier) == 1
        assert cache.get_comprehensive_stats()["backends"][tier]["available"] is False
    assert len(asked) == 1
    assert cache.get_comprehensive_stats()["backends"][tier]["available"] is True
    hits = cache.recorder.performance()["hits"]["persistent"]
    forget(cache)
    assert cache.get("Hello") == b"sound"
    assert cache.recorder.performance()["hits"]["persistent"] == hits + 1


def test_both_fail(cache: MultiTierAudioCache) -> None:
    with (
        faulty_tier(cache, "persistent", failing()),
        faulty_tier(cache, "distributed", failing(TierBusy("full"))),
    ):
        assert cache.get_or_create("Hello", lambda: b"sound") == b"sound"
        forget(cache)
        assert cache.get("Hello") is None
    assert errors(cache, "distributed") > 1  # busy is no outage: it was asked again


def test_an_answer_that_is_lost_was_done_all_the_same(cache: MultiTierAudioCache) -> None:
    cache.get("Hello")  # from here on the removal log needs no reading for a while
    with faulty_tier(cache, "persistent", losing_answers):
        cache.put("Hello", b"sound")
    assert errors(cache, "persistent") == 1
    assert cache.tiers["persistent"].get(cache.clip("Hello").key) is not None


@pytest.mark.parametrize("tier", LOWER)
def test_what_is_damaged_is_counted_and_gone(cache: MultiTierAudioCache, tier: str) -> None:
    cache.put("Hello", b"sound")
    forget(cache)
    other = next(name for name in LOWER if name != tier)
    with faulty_tier(cache, tier, corrupting), faulty_tier(cache, other, failing()):
        assert cache.get("Hello") is None
    assert cache.get_comprehensive_stats()["backends"][tier]["corrupt"] == 1
    assert cache.tiers[tier].get(cache.clip("Hello").key) is None


def test_slow_answers_are_answers(cache: MultiTierAudioCache) -> None:
    started = time.perf_counter()
    with faulty_tier(cache, "persistent", slow(0.05)):
        cache.put("Hello", b"sound")
    assert time.perf_counter() - started >= 0.05
    assert errors(cache, "persistent") == 0


def test_chance_is_the_same_each_time(new_tier: NewTier) -> None:
    def run() -> list[bool]:
        tier: Tier = with_faults(new_tier("sqlite"), at_random(0.5, failing(TierBusy), seed=7))
        return [_works(tier) for _ in range(30)]

    assert run() == run()
    assert {True, False} == set(run())


def _works(tier: Tier) -> bool:
    try:
        tier.check()
    except TierBusy:
        return False
    return True


@pytest.mark.parametrize("name", ["memory", "cloud"])
def test_only_a_lower_tier_has_faults(cache: MultiTierAudioCache, name: str) -> None:
    with pytest.raises(ValueError, match=name), faulty_tier(cache, name, failing()):
        pass


def test_a_tier_with_faults_is_told_of_and_closed_as_it_is(
    new_cache: NewCache, new_tier: NewTier, told: list[tuple[str, dict[str, Any]]]
) -> None:
    table = with_faults(new_tier("sqlite", max_entries=1), slow(0))
    cache = new_cache(tiers=[table])
    cache.put_many([("one", b"1"), ("two", b"2")])
    assert [name for name, _ in told].count("entry_evicted") == 1


def test_a_provider_fails_cuts_and_recovers(cache: MultiTierAudioCache) -> None:
    provider = StubProvider(TTSConfig())
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    with without_waits():
        with faulty_provider(service, failing()) as asked, pytest.raises(ProviderError):
            service.synthesize_text_sync("Hello")
        with faulty_provider(service, corrupting), pytest.raises(NotAudio):
            service.synthesize_text_sync("Good day")
    assert set(asked) == {"synthesize"}
    assert cache.get_comprehensive_stats()["performance"]["puts"]["memory"] == 0
    assert service.synthesize_text_sync("Good evening")
    assert service.provider is provider
