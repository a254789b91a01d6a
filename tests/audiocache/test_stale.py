"""An older clip rather than none: found in any tier, with the life that it has, and not removed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from audiocache import MultiTierAudioCache
from audiocache.entries import AudioEntry
from audiocache.tiers.base import Tier
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import HOUR, FakeClock

TIERS = ("memory", "persistent", "distributed")


def counts(cache: MultiTierAudioCache, event: str) -> tuple[int, ...]:
    told = cache.get_comprehensive_stats()["performance"][event]
    return tuple(told[name] for name in TIERS)


@pytest.mark.parametrize("held", TIERS)
def test_it_fills_the_tiers_above_with_the_life_it_has(
    new_cache: NewCache, sql_kind: str, clock: FakeClock, held: str
) -> None:
    cache = new_cache(sql_kind, stale_if_error_hours=1)
    cache.put("Hello", b"sound", ttl_seconds=60)
    clip = cache.clip("Hello")
    stored = cache.find(clip)
    assert stored is not None
    above = TIERS[: TIERS.index(held)]
    for name in above:
        cache.tiers[name].clear()
    clock.now += 60_000
    assert cache.find(clip) is None
    stale = cache.find_stale(clip)
    assert stale is not None
    assert (stale.tier, stale.stale, stale.audio) == (held, True, b"sound")
    assert (stale.expires, stale.keep_until) == (stored.expires, stored.keep_until)
    assert counts(cache, "stale") == tuple(int(name == held) for name in TIERS)
    for name in above:
        filled = cache.tiers[name].get(clip.key)
        assert filled is not None
        assert (filled.expires, filled.keep_until) == (stored.expires, stored.keep_until)
    assert cache.find(clip) is None
    clock.now += HOUR
    assert cache.find_stale(clip) is None


@ON_SQLITE
def test_one_that_was_renewed_since_is_as_good(new_cache: NewCache, clock: FakeClock) -> None:
    cache = new_cache(stale_if_error_hours=1)
    cache.put("Hello", b"sound", ttl_seconds=60)
    clock.now += 60_000
    assert cache.get("Hello") is None
    cache.put("Hello", b"newer")
    found = cache.find_stale(cache.clip("Hello"))
    assert found is not None
    assert (found.audio, found.stale) == (b"newer", False)
    assert counts(cache, "stale") == (0, 0, 0)


@ON_SQLITE
def test_without_the_setting_there_is_none(new_cache: NewCache, clock: FakeClock) -> None:
    keeping, strict = new_cache(stale_if_error_hours=1), new_cache()
    keeping.put("Hello", b"sound", ttl_seconds=60)
    clock.now += 60_000
    clip = keeping.clip("Hello")
    assert keeping.find_stale(clip) is not None
    assert strict.find_stale(clip) is None
    assert asyncio.run(strict.afind_stale(clip)) is None


@ON_SQLITE
def test_the_twin_does_the_same(new_cache: NewCache, clock: FakeClock) -> None:
    cache = new_cache(stale_if_error_hours=1)
    cache.put("Hello", b"sound", ttl_seconds=60)
    clock.now += 60_000
    stale = asyncio.run(cache.afind_stale(cache.clip("Hello")))
    assert stale is not None
    assert (stale.audio, stale.stale) == (b"sound", True)


@ON_SQLITE
def test_one_that_is_removed_while_it_is_read_is_not_served(
    new_cache: NewCache, new_tier: NewTier, clock: FakeClock
) -> None:
    tiers: list[Tier] = [new_tier("memory"), new_tier("sqlite")]
    cache = new_cache(tiers=tiers, stale_if_error_hours=1)
    cache.put("Hello", b"sound", ttl_seconds=60)
    clip = cache.clip("Hello")
    tiers[0].clear()
    clock.now += 60_000
    below, read = tiers[1], tiers[1].get_many

    def removed_meanwhile(keys: Collection[str]) -> dict[str, AudioEntry]:
        found = read(keys)
        cache.remove("Hello")
        return found

    below.get_many = removed_meanwhile  # type: ignore[method-assign]
    assert cache.find_stale(clip) is None
    assert tiers[0].get(clip.key) is None
