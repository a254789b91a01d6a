"""Law 10 where puts overtake each other, or are overtaken by a removal: all agree in the end."""

from __future__ import annotations

from typing import Any

import pytest

from audiocache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Recording
from audiocache.removals.values import SKEW_MS
from audiocache.tiers.base import Tier
from tests.audiocache.conftest import DATABASES, NewCache, NewTier
from tests.factories import FakeClock, entry

OLDER, LATER = b"RIFF the older sound", b"RIFF the later sound"
STORES = pytest.mark.parametrize("kind", [*DATABASES, "redis"])


def about_to_be_put(cache: MultiTierAudioCache, clock: FakeClock) -> AudioEntry:
    """By a thread that then has to wait."""
    made = cache.entry(cache.clip("Hello"), Recording(audio=OLDER, content_type="audio/wav"))
    clock.now += 5
    return made


def everywhere(*caches: MultiTierAudioCache) -> set[bytes | None]:
    """What is served, by each cache and by each of its tiers alone."""
    served = {cache.get("Hello") for cache in caches}
    for cache in caches:
        held = cache.ladder.where(cache.clip("Hello")).values()
        served |= {one.audio for one in held if one is not None}
    return served


@pytest.fixture
def two(new_cache: NewCache, sql_kind: str) -> tuple[MultiTierAudioCache, MultiTierAudioCache]:
    """As in two processes of a host."""
    return new_cache(sql_kind), new_cache(sql_kind)


@pytest.mark.parametrize("known", [False, True])
def test_law_10_of_two_puts_the_later_one_stays_in_all_tiers_and_processes(
    two: tuple[MultiTierAudioCache, MultiTierAudioCache], clock: FakeClock, known: bool
) -> None:
    ours, theirs = two
    if known:  # a clip that was there before is in both memories
        ours.put("Hello", b"RIFF an old sound")
        assert theirs.get("Hello")
        clock.now += 5
    older = about_to_be_put(ours, clock)
    theirs.put("Hello", LATER)
    taken = ours.ladder.store([older])
    assert taken[older.key] >= 1, "a later one is there: nobody is told that it was not stored"
    assert everywhere(ours, theirs) == {LATER}


def test_law_10_what_was_made_is_not_stored_over_a_later_put(
    two: tuple[MultiTierAudioCache, MultiTierAudioCache], clock: FakeClock
) -> None:
    ours, theirs = two
    mark = ours.ladder.mark_making()
    older = about_to_be_put(ours, clock)
    theirs.put("Hello", LATER)
    assert ours.keep(older, mark) >= 1
    assert everywhere(ours, theirs) == {LATER}


@STORES
@pytest.mark.parametrize("behind", [1, SKEW_MS])
def test_a_put_leaves_what_was_made_later(new_tier: NewTier, kind: str, behind: int) -> None:
    tier, later = new_tier(kind), entry("a")
    tier.put_many([later])
    older = later._replace(audio=OLDER, created=later.created - behind)
    assert tier.put_many([older]) == set()
    assert tier.get(later.key).audio == later.audio


@STORES
def test_a_clock_that_was_wrong_keeps_nobody_from_storing(new_tier: NewTier, kind: str) -> None:
    tier, later = new_tier(kind), entry("a")
    tier.put_many([later])
    older = later._replace(audio=OLDER, created=later.created - SKEW_MS - 1)
    assert tier.put_many([older]) == {later.key}
    assert tier.get(later.key).audio == OLDER


@STORES
def test_what_has_expired_keeps_nobody_from_storing(
    new_tier: NewTier, kind: str, clock: FakeClock
) -> None:
    tier, later = new_tier(kind), entry("a", ttl=1, stale=1000)
    tier.put_many([later])
    clock.now += 10
    older = entry("a", created=later.created + 10)._replace(audio=OLDER)
    assert tier.put_many([older]) == {later.key}
    assert tier.get(later.key).audio == OLDER


def removed_before_it_is_taken(monkeypatch: Any, tier: Tier, remover: MultiTierAudioCache) -> None:
    """A put reaches this tier only behind a removal."""
    put = tier.put_many

    def late(*args: Any, **how: Any) -> set[str]:
        monkeypatch.setattr(tier, "put_many", put)
        remover.remove("Hello")
        return put(*args, **how)

    monkeypatch.setattr(tier, "put_many", late)


def test_law_10_a_put_that_a_removal_overtook_leaves_no_tier_with_it(
    two: tuple[MultiTierAudioCache, MultiTierAudioCache], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = two
    removed_before_it_is_taken(monkeypatch, ours.tiers["persistent"], ours)
    ours.put("Hello", OLDER)
    assert everywhere(ours, theirs) == {None}
    ours.put("Hello", LATER)
    assert everywhere(ours, theirs) == {LATER}


def test_law_10_also_where_another_process_removed_it_and_redis_says_so(
    new_tier: NewTier, new_cache: NewCache, sql_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (
        new_cache(tiers=[new_tier("memory"), new_tier("redis"), new_tier(sql_kind)])
        for _ in range(2)
    )
    removed_before_it_is_taken(monkeypatch, ours.tiers["distributed"], theirs)
    ours.put("Hello", OLDER)
    assert everywhere(ours, theirs) == {None}
    assert ours.put("Hello", LATER)
    assert everywhere(ours, theirs) == {LATER}


def test_a_put_behind_another_process_removal_stays_although_that_is_heard_late(
    two: tuple[MultiTierAudioCache, MultiTierAudioCache], clock: FakeClock
) -> None:
    ours, theirs = two
    theirs.put("Hello", OLDER)
    assert ours.get("Hello") == OLDER
    clock.now += 5
    theirs.remove("Hello")
    clock.now += 5
    ours.put("Hello", LATER)
    assert everywhere(ours, theirs) == {LATER}
