"""Turns and what comes of them, between two caches on one store, as two processes have them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis
from django.db import connections

from audiocache import MultiTierAudioCache, turns
from audiocache.entries import Recording
from audiocache.exceptions import MakingFailed, WaitExpired
from audiocache.leases import Lease
from audiocache.pulse import pulse
from audiocache.rung import Rung
from audiocache.sharing import ALONE, Sharing
from audiocache.tiers.base import Tier
from audiocache.tiers.sql.lease_file import LeaseFile
from audiocache.turns import Turn, Wait
from project.servers import RedisServer, start_redis
from tests.audiocache.conftest import DATABASES, ON_POSTGRESQL, ON_SQLITE, NewCache, NewTier

SOUND = b"paid for"

NewPair = Callable[..., tuple[MultiTierAudioCache, MultiTierAudioCache]]


@pytest.fixture
def new_pair(new_tier: NewTier, new_cache: NewCache) -> NewPair:
    """Two caches, each with a memory of its own, on the same tiers."""

    def tier(kind: str | tuple[str, dict[str, Any]]) -> Tier:
        name, more = (kind, {}) if isinstance(kind, str) else kind
        made: Tier = new_tier(name, **more)
        return made

    def make(*kinds: Any) -> tuple[MultiTierAudioCache, MultiTierAudioCache]:
        one, two = (new_cache(tiers=[new_tier("memory"), *map(tier, kinds)]) for _ in range(2))
        for used in one.tiers.values():
            if isinstance(used.leases, LeaseFile):  # no database is emptied after a test
                used.leases.path.unlink(missing_ok=True)
        return one, two

    return make


@pytest.fixture(params=[*DATABASES, "redis"])
def pair(
    request: pytest.FixtureRequest, new_pair: NewPair
) -> tuple[MultiTierAudioCache, MultiTierAudioCache]:
    return new_pair(request.param)


@pytest.fixture
def soon() -> Iterator[Callable[..., Future[Any]]]:
    """Runs a call on another thread."""

    def closed(call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        yield lambda call, *args: pool.submit(closed, call, *args)


class Job:
    """A making that takes as long as the test wants."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.calls = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self._error = error

    def __call__(self) -> bytes:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(10)
        if self._error:
            raise self._error
        return SOUND


def until(true: Callable[[], bool]) -> None:
    """Return when it is, soon."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def waiting(cache: MultiTierAudioCache, number: int = 1) -> None:
    """Return when so many wait for another's turn."""
    until(lambda: len(cache.turns._waits) == number)


def test_one_makes_it_and_the_other_gets_it(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job()
    first = soon(one.get_or_create, "a", job)
    assert job.begun.wait(5)
    others = [soon(two.get_or_create, "a", pytest.fail) for _ in range(5)]
    waiting(two)
    job.go_on.set()
    assert [first.result(5), *(other.result(5) for other in others)] == [SOUND] * 6
    assert (one.recorder.events["created"], two.recorder.events["created"]) == (1, 0)


@ON_SQLITE
def test_after_a_moment_without_redis_the_others_find_what_was_paid_for(
    new_pair: NewPair, server: RedisServer
) -> None:
    """Who passes Redis over does not know what the database has followed: it took nothing, too."""
    one, two = new_pair("sqlite", ("redis", {"redis_url": server.url}))
    for sound in (b"older", b"old"):
        two.put("b", sound)

    def create() -> bytes:
        server.pause()
        one.get("another")  # in vain: Redis is passed over from now on
        server.resume()
        two.put("b", b"new")
        two.ladder.following.now()
        return SOUND

    assert one.get_or_create("a", create) == SOUND
    two.tiers["memory"].clear()
    assert two.get("a") == SOUND


def test_an_error_is_everybodys_by_its_kind(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job(ValueError("about a secret text"))
    first = soon(one.get_or_create, "a", job)
    assert job.begun.wait(5)
    others = [soon(two.get_or_create, "a", pytest.fail) for _ in range(5)]
    waiting(two)
    time.sleep(0.1)  # for those who join
    job.go_on.set()
    with pytest.raises(ValueError, match="secret"):
        first.result(5)
    for other in others:
        with pytest.raises(MakingFailed, match=r"in another process: ValueError$") as caught:
            other.result(5)
        assert caught.value.kind == "ValueError"
    assert two.get_or_create("a", lambda: SOUND) == SOUND  # who comes later begins anew


def test_an_error_may_say_more_of_itself(pair: Any, soon: Any) -> None:
    one, two = pair
    sharing = Sharing(pack=str, unpack=KeyError)
    job = Job(ValueError("quota 42"))
    clip = one.clip("a")
    first = soon(one.find_or_create, clip, lambda: Recording(audio=job()), sharing)
    assert job.begun.wait(5)
    other = soon(two.find_or_begin, clip, pytest.fail, 5, sharing)
    waiting(two)
    job.go_on.set()
    with pytest.raises(ValueError, match="quota"):
        first.result(5)
    with pytest.raises(KeyError, match="quota 42"):
        other.result(5)


def test_a_making_that_was_stopped_is_taken_over(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job(KeyboardInterrupt())
    first = soon(one.get_or_create, "a", job)
    assert job.begun.wait(5)
    other = soon(two.get_or_create, "a", lambda: b"by another")
    waiting(two)
    job.go_on.set()
    assert isinstance(first.exception(5), KeyboardInterrupt)
    assert other.result(5) == b"by another"


def test_for_asyncio_no_thread_waits(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job()
    first = [soon(one.get_or_create, f"{place}", job) for place in range(8)]
    until(lambda: job.calls == 8)

    async def ask() -> list[bytes]:
        async def never() -> bytes:
            pytest.fail("called twice")

        tasks = [
            asyncio.ensure_future(two.aget_or_create(f"{place % 8}", create))
            for place in range(16)
            for create in ([pytest.fail] if place % 2 else [never])
        ]
        await asyncio.to_thread(waiting, two, 8)
        assert two.makers.submit(lambda: "a thread is free").result(5)
        assert two.executor.submit(lambda: "a thread is free").result(5)
        assert all(
            flight.thread is None or flight.thread == threading.get_ident()
            for flight in two.flights._flights.values()
        )
        job.go_on.set()
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(ask()) == [SOUND] * 16
    assert {one.result(5) for one in first} == {SOUND}
    assert job.calls == 8


def test_who_waits_may_leave(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job()
    first = soon(one.get_or_create, "a", job)
    assert job.begun.wait(5)
    with pytest.raises(WaitExpired):
        two.find_or_begin(two.clip("a"), pytest.fail, 0.05)
    job.go_on.set()
    assert first.result(5) == SOUND
    assert two.find_or_begin(two.clip("a"), pytest.fail, 5).audio == SOUND


def test_a_task_that_is_cancelled_gives_its_turn_back(pair: Any) -> None:
    one, two = pair

    async def leave() -> None:
        begun = asyncio.Event()

        async def create() -> bytes:
            begun.set()
            await asyncio.sleep(60)
            return SOUND

        asked = asyncio.ensure_future(one.aget_or_create("a", create))
        await begun.wait()
        asked.cancel()  # and `run` cancels the making itself

    asyncio.run(leave())
    assert two.get_or_create("a", lambda: SOUND) == SOUND


def test_what_no_tier_could_take_is_made_one_by_one(
    new_tier: NewTier, new_cache: NewCache, soon: Any
) -> None:
    one, two = (new_cache(tiers=[new_tier("redis", max_bytes=1)]) for _ in range(2))
    most, now, calls = [0], [0], [0]

    def create() -> bytes:
        calls[0] += 1
        now[0] += 1
        most[0] = max(most[0], now[0])
        time.sleep(0.2)
        now[0] -= 1
        return SOUND

    asked = [soon(cache.get_or_create, "a", create) for cache in (one, two, one, two)]
    assert {one.result(10) for one in asked} == {SOUND}
    assert (calls[0], most[0]) == (2, 1)


def test_what_costs_nothing_twice_asks_nobody(pair: Any, soon: Any) -> None:
    one, two = pair
    job = Job()
    clip = one.clip("a")
    first = soon(one.find_or_create, clip, lambda: Recording(audio=job()), ALONE)
    assert job.begun.wait(5)
    assert two.find_or_create(clip, lambda: Recording(audio=b"mine"), ALONE).audio == b"mine"
    job.go_on.set()
    assert first.result(5).audio == SOUND
    assert not one.turns._held


# A turn and its lease


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that end within the patience of a test."""
    monkeypatch.setattr(turns, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(turns, "EXTEND_SECONDS", 0.1)


@pytest.mark.usefixtures("quick")
def test_a_turn_is_extended_for_as_long_as_it_may_take_and_no_longer(pair: Any) -> None:
    one, two = pair
    mine = one.turns.take("a", 0.8)
    assert isinstance(mine, Turn)
    began = time.monotonic()
    other = two.turns.take("a", 1)
    assert isinstance(other, Wait)
    assert other.future.result(5) is None
    assert 0.8 <= time.monotonic() - began < 2
    mine.settle("stored")
    again = two.turns.take("a", 1)
    assert isinstance(again, Turn)
    again.settle("stored")


def test_who_waits_where_no_thread_can_be_started_looks_himself(
    pair: Any, no_threads: Callable[[], object]
) -> None:
    pulse.stop()  # another test's
    one, two = pair
    clip = one.clip("a")
    one.turns._coordinator.take(clip.source_key, "killed", 300)
    assert two.get_or_create("a", lambda: SOUND) == SOUND
    assert not pulse.running
    no_threads()
    assert two.get_or_create("b", lambda: SOUND) == SOUND
    assert pulse.running


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One to be stopped."""
    with start_redis() as redis:
        yield redis


@ON_SQLITE
@pytest.mark.usefixtures("quick")
def test_when_redis_goes_the_turn_goes_on_in_the_database(
    new_pair: NewPair, server: RedisServer
) -> None:
    one, two = new_pair("sqlite", ("redis", {"redis_url": server.url}))
    mine = one.turns.take("a", 60)
    assert isinstance(mine, Turn)
    other = two.turns.take("a", 60)
    assert isinstance(other, Wait)
    server.kill()
    time.sleep(0.7)
    assert not other.future.done()
    mine.settle("stored")
    assert other.future.result(5) == "stored"


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def empty(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()


FAULTS = {"gone": RedisServer.kill, "silent": RedisServer.pause, "empty": empty, "anew": restart}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(pytest.param("sqlite", fault, marks=ON_SQLITE) for fault in ["silent", "empty", "anew"]),
        pytest.param("sqlite", "gone", marks=[ON_SQLITE, pytest.mark.chaos]),
        pytest.param("postgresql", "empty", marks=ON_POSTGRESQL),
    ],
)
def test_who_asks_right_after_redis_failed_is_told_by_the_database(
    new_pair: NewPair, server: RedisServer, kind: str, fault: str
) -> None:
    """Not only once the owner has extended its turn: until then another could have called."""
    one, two = new_pair(kind, ("redis", {"redis_url": server.url}))
    mine, before = one.turns.take("a", 60), two.turns.take("a", 60)
    FAULTS[fault](server)
    after = two.turns.take("a", 60)
    assert isinstance(mine, Turn)
    assert isinstance(before, Wait)
    assert isinstance(after, Wait)
    mine.settle("stored")
    assert [before.future.result(5), after.future.result(5)] == ["stored", "stored"]


@pytest.mark.parametrize("outcome", ["abandoned", "failed ProviderDown"])
def test_a_turn_that_is_settled_while_it_is_extended_is_free(pair: Any, outcome: str) -> None:
    one, two = pair
    mine = one.turns.take("a", 60)
    assert isinstance(mine, Turn)

    class SettledMeanwhile(list[Rung]):
        """The caller's thread settles, after the pulse looked what is to be extended."""

        def __iter__(self) -> Iterator[Rung]:
            if not self.settled:
                self.settled = True
                mine.settle(outcome)
            return super().__iter__()

        settled = False

    coordinator = one.turns._coordinator
    coordinator._rungs = SettledMeanwhile(coordinator._rungs)
    one.turns._extend()
    assert not one.turns._held
    again = two.turns.take("a", 60)
    assert isinstance(again, Turn)
    again.settle("stored")


def test_a_turn_is_taken_while_the_pulse_looks_through_the_others(new_pair: NewPair) -> None:
    mine = new_pair("redis")[0].turns
    held, late = (Turn(mine, name, name, 60) for name in ("held", "late"))

    class LookedThrough(weakref.WeakValueDictionary[str, Turn]):
        """For so long that another thread comes by."""

        def values(self) -> Iterator[Turn]:  # type: ignore[override]
            for turn in super().values():
                comes = threading.Thread(target=mine._hold, args=(late,))
                comes.start()
                comes.join(0.1)
                yield turn

    mine._held = LookedThrough(held=held)
    mine._extend()
    until(lambda: "late" in mine._held)


def holder_in(server: RedisServer) -> str:
    """Of the one lease that is there."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        [lease] = client.keys("*:lease:*")
        return str(client.hget(lease, "holder"))


@ON_SQLITE
def test_who_has_it_in_one_store_alone_gives_it_back(
    new_pair: NewPair, server: RedisServer
) -> None:
    one, two = new_pair("sqlite", ("redis", {"redis_url": server.url}))
    mine = one.turns.take("a", 60)
    empty(server)
    other = two.turns.take("a", 60)
    assert isinstance(mine, Turn)
    assert holder_in(server) == ""
    one.turns._extend()
    assert holder_in(server) == mine.owner == other.owner
    mine.settle("nowhere")
    again = two.turns.take("a", 60)
    assert isinstance(again, Turn)
    again.settle("stored")


def test_when_nothing_can_say_whose_turn_it_is_all_go_ahead(
    new_pair: NewPair, server: RedisServer
) -> None:
    server.kill()
    for cache in new_pair(("redis", {"redis_url": server.url})):
        turn = cache.turns.take("a", 60)
        assert isinstance(turn, Turn)
        turn.settle("stored")


@ON_SQLITE
def test_a_lease_file_that_another_holds_up_costs_little_and_no_queue(
    new_pair: NewPair, in_threads: Callable[..., list[Any]]
) -> None:
    one, two = new_pair("sqlite")
    two.turns.take("before", 60)  # the file is there
    leases = one.tiers["persistent"].leases
    assert isinstance(leases, LeaseFile)
    with closing(sqlite3.connect(leases.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        turns = in_threads(16, lambda place: one.turns.take(f"{place}", 60))
        turns += [one.turns.take(f"again {place}", 60) for place in range(16)]
        took = time.monotonic() - began
        other.rollback()
    assert {type(turn) for turn in turns} == {Turn}
    assert took < 2.5
    until(lambda: isinstance(one.turns.take("before", 60), Wait))  # they agree again


def test_a_cache_without_shared_tiers_agrees_with_nobody(new_pair: NewPair) -> None:
    one, two = new_pair()
    assert isinstance(one.turns.take("a", 60), Turn)
    assert isinstance(two.turns.take("a", 60), Turn)
    assert not pulse.running


def test_in_a_child_turns_and_waits_are_the_parents(pair: Any) -> None:
    one, two = pair
    mine = one.turns.take("a", 60)
    two.turns.take("a", 60)
    for cache in pair:
        cache.turns.after_fork()
    assert not one.turns._held
    assert not two.turns._waits
    mine.settle("stored")  # the child's copy says nothing in the parent's name
    with two.turns.only_one("a") as held:
        assert not held


def test_a_wait_that_another_turn_overtook_is_over() -> None:
    wait = Wait("a", Lease("one", 10_000), time.monotonic())
    assert not wait.heed(Lease("one", 10_000))
    assert not wait.heed(None)
    assert wait.heed(Lease("three", 10_000, "two", "stored"))
    assert wait.future.result(0) is None


@pytest.mark.parametrize(("ago", "over"), [(0, False), (60, True)], ids=["before", "while"])
def test_what_ended_before_the_wait_was_of_an_earlier_turn(ago: int, over: bool) -> None:
    """It began with the question: the answer may have been a long time on its way."""
    wait = Wait("a", Lease("one", 10_000), time.monotonic() - ago)
    assert wait.heed(Lease("another", -30_000)) is over


# One at a time


def test_a_turn_that_an_exception_took_away_ends_by_itself(pair: Any) -> None:
    """As one that a signal's handler raises between the lease and the making."""
    turn = pair[0].turns.take("a", 60)
    assert list(pair[0].turns._held.values()) == [turn]
    del turn
    assert not pair[0].turns._held


def test_only_one_at_a_time(pair: Any) -> None:
    one, two = pair
    work = one.turns.only_one("work"), two.turns.only_one("work"), two.turns.only_one("other")
    with work[0] as first, work[1] as second, work[2] as other:
        assert (first, second, other) == (True, False, True)
    with two.turns.only_one("work") as again:
        assert again


def test_a_late_one_does_not_give_back_what_another_holds(pair: Any) -> None:
    one, two = pair
    with one.turns.only_one("work", seconds=0.001) as first:
        time.sleep(0.02)
        with two.turns.only_one("work") as second:
            assert (first, second) == (True, True)


def test_without_shared_tiers_everybody_is_the_only_one(
    new_cache: NewCache, new_tier: NewTier
) -> None:
    alone: list[Tier] = [new_tier("memory")]
    with new_cache(tiers=alone).turns.only_one("work") as held:
        assert held
