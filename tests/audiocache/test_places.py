"""Places: never more than the limit, given back by the dead, in Redis and in the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connections

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import DISTRIBUTED
from audiocache.places import Places
from audiocache.tiers.places import PlaceStore
from tests.audiocache.conftest import DATABASES, NewCache, NewTier


@pytest.fixture(params=[*DATABASES, "redis"])
def store(request: pytest.FixtureRequest, new_tier: NewTier) -> PlaceStore:
    places: PlaceStore | None = new_tier(request.param).places
    assert places is not None
    return places


@pytest.fixture
def name() -> str:
    return uuid4().hex


def test_there_are_so_many_places_and_no_more(store: PlaceStore, name: str) -> None:
    owners = [f"owner {number}" for number in range(4)]
    assert [store.take(name, 3, owner, 60_000) for owner in owners] == [True, True, True, False]
    store.give_back(name, owners[1])
    assert store.take(name, 3, owners[3], 60_000)
    assert not store.take(name, 3, owners[1], 60_000)
    assert store.take("another", 3, owners[1], 60_000)


def test_a_place_is_free_again_at_its_deadline(store: PlaceStore, name: str) -> None:
    assert store.take(name, 1, "killed", 150)
    assert not store.take(name, 1, "next", 60_000)
    time.sleep(0.2)
    assert store.take(name, 1, "next", 60_000)
    store.give_back(name, "killed")  # it was not dead after all
    assert not store.take(name, 1, "third", 60_000)


def test_a_place_is_extended(store: PlaceStore, name: str) -> None:
    assert store.take(name, 2, "alive", 150)
    assert store.take(name, 2, "killed", 150)
    store.extend(name, ["alive"], 60_000)
    time.sleep(0.2)
    assert store.take(name, 2, "next", 60_000)
    assert not store.take(name, 2, "third", 60_000)
    store.give_back(name, "alive")
    assert store.take(name, 2, "third", 60_000)


def test_an_extension_takes_nothing_from_another(store: PlaceStore, name: str) -> None:
    assert store.take(name, 1, "late", 50)
    time.sleep(0.1)
    assert store.take(name, 1, "next", 60_000)
    store.extend(name, ["late"], 50)
    time.sleep(0.1)
    assert not store.take(name, 1, "third", 60_000)


def test_a_limit_is_narrowed(store: PlaceStore, name: str) -> None:
    store.narrow(name, 1)
    assert store.take(name, 5, "first", 60_000)
    assert not store.take(name, 5, "second", 60_000)
    store.narrow(name, 2)
    assert store.take(name, 5, "second", 60_000)
    store.narrow(name, 9)
    assert [store.take(name, 3, owner, 60_000) for owner in ("third", "fourth")] == [True, False]


def test_a_narrowed_limit_creeps_up(store: PlaceStore, name: str) -> None:
    store.creep_ms = 100
    store.narrow(name, 1)
    assert store.take(name, 3, "first", 60_000)
    assert not store.take(name, 3, "second", 60_000)
    time.sleep(0.11)
    assert store.take(name, 3, "second", 60_000)
    time.sleep(0.3)
    assert [store.take(name, 3, owner, 60_000) for owner in ("third", "fourth")] == [True, False]


def test_a_firm_limit_does_not_creep(store: PlaceStore, name: str) -> None:
    store.creep_ms = 20
    store.narrow(name, 1)
    store.narrow(name, 2, firm=True)
    time.sleep(0.1)
    owners = ("first", "second", "third")
    assert [store.take(name, 5, owner, 60_000) for owner in owners] == [True, True, False]
    store.narrow(name, 2)
    time.sleep(0.05)
    assert store.take(name, 5, "third", 60_000)


def test_a_limit_is_lowered_by_one_from_what_is_allowed_now(store: PlaceStore, name: str) -> None:
    def allowed(most: int = 5) -> int:
        owners = [f"owner {number}" for number in range(most)]
        held = [owner for owner in owners if store.take(name, most, owner, 60_000)]
        for owner in held:
            store.give_back(name, owner)
        return len(held)

    found = []
    for _ in range(5):
        store.lower(name, 5)
        found.append(allowed())
    assert found == [4, 3, 2, 1, 1]
    store.creep_ms = 20
    time.sleep(0.12)  # without trouble
    assert allowed() == 5
    store.creep_ms = 30_000
    store.narrow(name, 3, firm=True)
    store.lower(name, 5)
    assert allowed() == 2
    store.creep_ms = 20  # a guess is not firm
    time.sleep(0.08)
    assert allowed() > 2


def test_the_longest_pause_holds(store: PlaceStore, name: str) -> None:
    assert store.paused(name) == 0
    store.pause(name, 5_000)
    store.pause(name, 100)
    assert 4_000 < store.paused(name) <= 5_000
    assert store.paused("another") == 0


def test_of_sixteen_threads_three_get_one_of_three_places(store: PlaceStore, name: str) -> None:
    """None gives his back: of two who choose the same one tries again, until all are held."""
    held: list[int] = []
    until = time.monotonic() + 30

    def work(number: int) -> None:
        while (all_held := len(held) >= 3) or time.monotonic() < until:
            if store.take(name, 3, f"{number}", 60_000):
                held.append(number)
                break
            if all_held:
                break
        connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert len(held) == 3


class TestPlaces:
    @pytest.mark.parametrize("kind", DATABASES)
    def test_redis_is_asked_before_the_database(self, new_cache: NewCache, kind: str) -> None:
        cache = new_cache(kind)
        assert cache.places.take("provider", 1, 60_000)
        assert free_in(cache) == ["persistent"]

    @pytest.mark.parametrize("kind", DATABASES)
    def test_the_database_is_asked_while_redis_is_gone(
        self, new_cache: NewCache, kind: str
    ) -> None:
        cache = new_cache(kind, redis_url="redis://127.0.0.1:1")
        place = cache.places.take("provider", 1, 60_000)
        assert place
        assert cache.places.take("provider", 1, 60_000) is None
        place.give_back()
        assert cache.places.take("provider", 1, 60_000)

    @pytest.mark.parametrize("kind", [DATABASES[0], "redis"])
    def test_a_place_is_held_for_as_long_as_its_owner_lives(
        self, new_cache: NewCache, new_tier: NewTier, kind: str
    ) -> None:
        cache = new_cache(tiers=[new_tier("memory"), new_tier(kind)])
        cache.places.held_ms = 800
        place = cache.places.take("provider", 1, 60_000)
        ends = time.monotonic() + 1.2
        while time.monotonic() < ends:
            assert cache.places.take("provider", 1, 1) is None
            time.sleep(0.02)
        assert place
        cache.places.after_fork()  # as if it were killed: nobody extends
        wait_until(lambda: cache.places.take("provider", 1, 1))

    @pytest.mark.parametrize("kind", DATABASES)
    def test_no_place_is_held_beyond_its_time(self, new_cache: NewCache, kind: str) -> None:
        cache = new_cache(kind)
        cache.places.held_ms = 150
        place = cache.places.take("provider", 1, 300)
        wait_until(lambda: cache.places.take("provider", 1, 1))
        assert place

    def test_a_place_that_redis_forgot_is_taken_again(
        self, new_cache: NewCache, new_tier: NewTier
    ) -> None:
        cache = new_cache(tiers=[new_tier("memory"), new_tier("redis")])
        cache.places.held_ms = 900
        place = cache.places.take("provider", 1, 60_000)
        [redis] = [rung.tier.places for rung in cache.ladder.rungs if rung.tier.name == DISTRIBUTED]
        assert place
        assert redis
        redis.give_back(place.name, place.owner)
        wait_until(lambda: not cache.places.take("provider", 1, 1))
        place.give_back()
        assert cache.places.take("provider", 1, 1)

    def test_where_nobody_answers_the_caller_goes_ahead(self) -> None:
        places = Places([])
        for place in [places.take("provider", 1, 60_000) for _ in range(2)]:
            assert place
            place.give_back()
        places.pause("provider", 1000)
        places.narrow("provider", 1)
        assert places.paused("provider") == 0


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def free_in(cache: MultiTierAudioCache) -> list[str]:
    """The tiers where the one place of `provider` is not taken."""
    rungs = [rung for rung in cache.ladder.rungs if rung.tier.places]
    return [rung.tier.name for rung in rungs if Places([rung]).take("provider", 1, 1)]
