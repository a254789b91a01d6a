"""What a tier was not told while it was away is told before it is believed (law 10).

Most of these were found by `test_model.py`, and are its examples in as few steps as show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import redis

from audiocache.cache import MultiTierAudioCache as Cache
from audiocache.exceptions import TierBusy
from audiocache.models import Removal as Row
from audiocache.owing import AGAIN_MS
from audiocache.testing import Fault, Operation, failing, faulty_tier, losing_answers
from tests.audiocache.conftest import DATABASES, ON_SQLITE, NewCache, NewTier
from tests.factories import FakeClock

LOWER = ("persistent", "distributed")
BUSY = failing(TierBusy("a test's"))
WAYS_OF_AWAY = {"busy": BUSY, "outage": failing(), "lost answer": losing_answers}


@contextmanager
def away(cache: Cache, *tiers: str, fault: Fault = BUSY) -> Iterator[None]:
    with ExitStack() as faults:
        for tier in tiers:
            faults.enter_context(faulty_tier(cache, tier, fault))
        yield


def forgets(cache: Cache, *tiers: str) -> None:
    """As after other clips came: what is not below is gone."""
    for tier in tiers:
        cache.tiers[tier].clear()


@pytest.fixture
def lost(redis_client: redis.Redis, prefix: str) -> Callable[[], None]:
    """Has Redis lose all that this test stored."""

    def lose() -> None:
        redis_client.delete(*redis_client.keys(f"{prefix}*"))

    return lose


@pytest.mark.parametrize("tier", LOWER)
@pytest.mark.parametrize("fault", WAYS_OF_AWAY.values(), ids=WAYS_OF_AWAY)
def test_an_older_sound_does_not_come_back_with_the_tier_that_missed_the_new_one(
    cache: Cache, tier: str, fault: Fault
) -> None:
    """Also within the millisecond in which the older was stored."""
    cache.put("Hello", b"old")
    with away(cache, tier, fault=fault):
        cache.put("Hello", b"new")
    forgets(cache, "memory", *(other for other in LOWER if other != tier))
    assert cache.get("Hello") in {None, b"new"}
    assert cache.has("Hello") is (cache.get("Hello") is not None)


def test_an_older_sound_does_not_come_back_when_no_tier_took_the_new_one(cache: Cache) -> None:
    cache.put("Hello", b"old")
    with away(cache, *LOWER):
        cache.put("Hello", b"new")
    assert cache.get("Hello") == b"new"
    forgets(cache, "memory")
    assert cache.get("Hello") is None
    assert not cache.has("Hello")


def test_others_hear_of_the_new_sound_when_the_tier_is_back(
    new_cache: NewCache, sql_kind: str
) -> None:
    first, second = new_cache(sql_kind), new_cache(sql_kind)
    first.put("Hello", b"old")
    assert second.get("Hello") == b"old"
    forgets(first, "persistent")
    with away(first, "distributed"):
        first.put("Hello", b"new")
    first.ladder.following.now()
    second.ladder.following.now()
    assert second.get("Hello") == b"new"


@ON_SQLITE
def test_a_tier_that_stays_full_is_asked_all_the_same(new_cache: NewCache) -> None:
    def full(operation: Operation) -> Any:
        if operation.verb in {"put_many", "remove"}:
            raise TierBusy("full")
        return operation()

    cache = new_cache("sqlite")
    cache.put("Kept", b"sound")
    cache.put("Hello", b"old")
    with away(cache, "persistent", fault=full):
        cache.put("Hello", b"new")
        forgets(cache, "memory", "distributed")
        assert cache.get("Kept") == b"sound"
        assert cache.get("Hello") is None


@ON_SQLITE
def test_a_tier_that_refused_to_hear_is_told_again_later(
    new_cache: NewCache, clock: FakeClock
) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"old")
    with away(cache, "persistent"):
        cache.put("Hello", b"new")
        cache.ladder.following.now()
    clock.now += AGAIN_MS
    cache.ladder.following.now()
    assert cache.tiers["persistent"].get(cache.clip("Hello").key) is None
    assert not cache.ladder.following.owing.anything


WAYS = {
    "remove": lambda cache: cache.remove("Hello"),
    "tag": lambda cache: cache.ladder.remove_group("tags", "red"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_redis_missed_is_not_there_for_who_asks_whether_it_is(cache: Cache, way: str) -> None:
    cache.put("Hello", b"sound", tags=["red"])
    with away(cache, "distributed"):
        WAYS[way](cache)
    assert not cache.has("Hello")
    assert cache.ladder.peek(cache.clip("Hello")) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_removal_that_redis_alone_heard_of_outlasts_an_emptied_redis(
    cache: Cache, way: str, lost: Callable[[], None]
) -> None:
    cache.put("Hello", b"sound", tags=["red"])
    with away(cache, "persistent"):
        WAYS[way](cache)
    lost()
    assert cache.get("Hello") is None
    assert not cache.has("Hello")
    cache.put("Hello", b"new")
    forgets(cache, "memory")
    assert cache.get("Hello") == b"new"


def test_a_removal_that_redis_alone_heard_of_is_told_where_redis_is_away_now(
    cache: Cache,
) -> None:
    cache.put("Hello", b"sound")
    with away(cache, "persistent"):
        cache.remove("Hello")
    with away(cache, "distributed", fault=failing()):
        assert cache.get("Hello") is None


@ON_SQLITE
def test_the_pulse_tells_it_though_nobody_asks(
    new_cache: NewCache, lost: Callable[[], None]
) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    with away(cache, "persistent"):
        cache.remove("Hello")
    lost()
    cache.ladder.following.beat()  # what was used since the last one
    cache.ladder.following.beat()
    assert cache.tiers["persistent"].get(cache.clip("Hello").key) is None
    assert not cache.ladder.following.owing.anything


@ON_SQLITE
def test_what_the_stream_still_says_is_not_told_twice(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    with away(cache, "persistent"):
        cache.remove("Hello")
    assert cache.get("Hello") is None
    assert not cache.ladder.following.owing.anything
    assert not Row.objects.exists()


@ON_SQLITE
def test_what_is_put_before_the_tier_heard_of_a_removal_is_not_lost_by_it(
    new_cache: NewCache,
) -> None:
    """The put tells it first."""
    cache = new_cache("sqlite")
    cache.put("Hello", b"old")
    with away(cache, *LOWER):
        cache.remove("Hello")
    cache.put("Hello", b"new")
    for tier in LOWER:
        assert cache.tiers[tier].get(cache.clip("Hello").key) is not None
    assert not cache.ladder.following.owing.anything


@ON_SQLITE
def test_more_than_is_remembered_costs_no_entry_while_the_stream_says_it(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.owing.REMOVALS", 2)
    cache = new_cache("sqlite")
    for text in ("Kept", "0", "1", "2"):
        cache.put(text, b"sound")
    with away(cache, "persistent"):
        for number in range(3):
            cache.remove(f"{number}")
    assert cache.get("2") is None
    for tier in LOWER:
        assert cache.tiers[tier].get(cache.clip("Kept").key) is not None


@pytest.mark.parametrize("sql_kind", DATABASES)
def test_a_put_after_a_clear_elsewhere_is_not_lost_by_it(
    new_tier: NewTier, new_cache: NewCache, sql_kind: str
) -> None:
    """Though this process has not heard of the clear yet."""
    first, second = new_cache(sql_kind), new_cache(sql_kind)
    second.put("Other", b"sound")
    first.clear()
    second.put("Hello", b"sound")
    for cache in (first, second):
        cache.ladder.following.now()
        for tier in LOWER:
            assert cache.tiers[tier].get(cache.clip("Hello").key) is not None
