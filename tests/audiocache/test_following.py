"""What hears of removals, and what is believed until it has (law 10)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.db import connections

from audiocache.cache import MultiTierAudioCache as Cache
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.models import Removal as Row
from audiocache.owing import REMOVALS
from audiocache.removals import Cursor, Guard, Removal
from audiocache.removals.log import KEPT, Own
from audiocache.testing import faults
from project.servers import RedisServer, start_redis
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import NOW, FakeClock, entry

KEY = entry("Hello").key
InThreads = Callable[[int, Callable[[int], Any]], list[Any]]


def lapse(cache: Cache) -> None:
    """As after a time in which the pulse did not beat."""
    cache.ladder.following._trust_until(0)


@ON_SQLITE
def test_memory_is_asked_again_after_it_has_caught_up_and_counts_once(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    lapse(cache)
    before = cache.recorder.totals()
    assert cache.get("Hello") == b"sound"
    after = cache.recorder.totals()
    assert after - before == {"memory.hits": 1}


@ON_SQLITE
def test_memory_that_is_not_trusted_again_counts_a_miss(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tier below is asked in its place: the look-ups of one are the misses of the other."""
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    monkeypatch.setattr(cache.ladder.following, "catch_up", lambda: lapse(cache))
    lapse(cache)
    before = cache.recorder.totals()
    assert cache.get("Hello") == b"sound"
    after = cache.recorder.totals()
    assert after - before == {"memory.misses": 1, "persistent.hits": 1}


@ON_SQLITE
def test_who_was_refused_memory_a_moment_ago_asks_it_again(new_cache: NewCache) -> None:
    """Another may have caught up between the two: the clip is in memory alone."""
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    cache.tiers["persistent"].clear()
    lapse(cache)
    clip = cache.clip("Hello")
    assert cache.ladder.at_hand(clip) is None
    cache.ladder.following.now()
    found = cache.ladder.below(clip)
    assert found is not None
    assert found.tier == "memory"


@ON_SQLITE
def test_memory_is_trusted_from_the_beginning_of_a_reading(
    new_cache: NewCache, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that stands still in the middle of it has not heard what is removed meanwhile."""
    following = new_cache("sqlite").ladder.following
    hear_ledger = following.listener.hear_ledger

    def stand_still() -> bool:
        heard = hear_ledger()
        clock.now += 2_000
        return heard

    monkeypatch.setattr(following.listener, "hear_ledger", stand_still)
    following.now()
    assert not following.trusted


@ON_SQLITE
def test_while_another_reads_too_long_memory_serves_as_if_blind(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    lapse(cache)
    with cache.ladder.following._turn:
        assert cache.get_entry("Hello") is not None
        assert cache.ladder.following.trusted


@ON_SQLITE
def test_more_untaken_removals_than_are_remembered_are_one_of_all(
    new_cache: NewCache, new_tier: NewTier
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), new_tier("sqlite")])
    cache.put("Hello", b"sound")
    with faults.faulty_tier(cache, "persistent", faults.failing(TierBusy)):
        cache.remove("Hello")
        for number in range(REMOVALS):
            cache.remove(f"{number}")
        assert len(cache.ladder.following.owing.debts) < REMOVALS
    assert cache.get("Hello") is None


@ON_SQLITE
def test_positions_that_come_again_are_not_taken_for_our_own(new_cache: NewCache) -> None:
    """As after the table was emptied, or a database put back."""
    first, second = new_cache("sqlite"), new_cache("sqlite")
    for number in range(3):
        second.put(f"{number}", b"sound")
        second.remove(f"{number}")
    with connections["audiocache"].cursor() as cursor:
        cursor.execute("DELETE FROM audiocache_removal")
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = 'audiocache_removal'")
    for cache in (first, second):
        cache.ladder.following.now()
    second.put("Hello", b"sound")
    first.remove("Hello")
    second.ladder.following.now()
    assert second.tiers["memory"].get(KEY) is None


@contextmanager
def no_room_for(kind: str) -> Iterator[None]:
    """SQLite's removal log takes no row of a kind: what stood before it is rolled back."""
    with connections["audiocache"].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refusing BEFORE INSERT ON audiocache_removal"
            f" WHEN NEW.kind = '{kind}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        yield
        cursor.execute("DROP TRIGGER refusing")


@ON_SQLITE
def test_a_position_that_was_rolled_back_is_not_taken_for_our_own(
    new_cache: NewCache, new_tier: NewTier
) -> None:
    here, there = (new_cache(tiers=[new_tier("memory"), new_tier("sqlite")]) for _ in range(2))
    there.put("Hello", b"sound")
    assert here.get("Hello") == b"sound"
    log = here.tiers["persistent"].log
    assert log
    with no_room_for("source_key"), pytest.raises(TierError):
        log.remove([Removal("key", "k"), Removal("source_key", "s")], NOW)
    assert there.discard_many([KEY])
    here.ladder.following.now()
    assert here.get("Hello") is None


@ON_SQLITE
@pytest.mark.parametrize(
    "damaged",
    [("replaced", "no number", 1), ("key", b"\xff", 1), (b"\xff", "k", 1), ("key", "k", "text")],
    ids=repr,
)
def test_a_damaged_row_of_the_log_tells_of_nothing_and_holds_up_no_other(
    new_cache: NewCache, new_tier: NewTier, damaged: tuple[Any, ...]
) -> None:
    here, there = (new_cache(tiers=[new_tier("memory"), new_tier("sqlite")]) for _ in range(2))
    there.put_many([("Hello", b"sound"), ("kept", b"kept")])
    assert (here.get("Hello"), here.get("kept")) == (b"sound", b"kept")
    with connections["audiocache"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audiocache_removal (id, kind, value, at)"
            " SELECT COALESCE(MAX(id), 0) + 1, %s, %s, %s FROM audiocache_removal",
            damaged,
        )
    assert here.get_or_create("made", lambda: b"made") == b"made"
    assert there.get("made") == b"made"
    there.remove("Hello")
    here.ladder.following.now()
    assert (here.get("Hello"), here.get("kept")) == (None, b"kept")


@ON_SQLITE
def test_a_damaged_number_of_what_a_ledger_heard_is_none(new_tier: NewTier) -> None:
    tier = new_tier("sqlite")
    with connections["audiocache"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audiocache_state (name, value) VALUES"
            " ('removals.heard.one', 'no number'), ('removals.heard.other', '7')"
        )
    assert tier.log.followed() == (None, {"other": 7})


def test_what_is_our_own_is_remembered_by_several_threads_at_once() -> None:
    own = Own()

    class LookedThrough(dict[str, None]):
        """For so long that another thread comes by."""

        def __iter__(self) -> Iterator[str]:
            oldest = super().__iter__()
            comes = threading.Thread(target=own.add, args=("late",))
            comes.start()
            comes.join(0.1)
            return oldest

    own._names = LookedThrough.fromkeys(map(str, range(KEPT)))
    own.add("ours")
    assert "ours" in own


def test_memory_serves_for_a_while_when_nobody_can_say_what_was_removed(
    new_tier: NewTier, new_cache: NewCache, clock: FakeClock, own_redis: RedisServer
) -> None:
    tiers = [new_tier("memory"), new_tier("redis", redis_url=own_redis.url)]
    cache = new_cache(tiers=tiers, max_blind_seconds=10)
    cache.put("Hello", b"sound")
    cache.get("Hello")
    own_redis.kill()
    clock.now += 9_000
    assert cache.get("Hello") == b"sound"
    clock.now += 2_000
    assert cache.get("Hello") is None
    assert not cache.has("Hello")
    own_redis.start()
    works_again(cache)
    assert cache.get("Hello") == b"sound"


def works_again(cache: Cache) -> None:
    """The circuit in front of the last tier would try again after some seconds."""
    cache.ladder.rungs[-1].circuit.available = True


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


@ON_SQLITE
def test_a_log_that_no_longer_reaches_back_empties_memory(new_cache: NewCache) -> None:
    first, second = new_cache("sqlite"), new_cache("sqlite")
    first.put("Hello", b"sound")
    first.put("Bye", b"sound")
    assert second.get("Hello") == b"sound"
    for _ in range(3):
        first.remove("Bye")
    Row.objects.filter(id__lte=2).delete()
    second.ladder.following.listener.in_ledger = Cursor("", 1, "1")
    second.ladder.following.now()
    assert second.tiers["memory"].get(KEY) is None
    assert second.get("Hello") == b"sound"


@ON_SQLITE
def test_the_log_is_bounded(new_cache: NewCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocache.tiers.sql.log_base.KEPT", 5)
    cache = new_cache("sqlite")
    for number in range(30):
        cache.remove(f"{number}")
    assert Row.objects.count() <= 6


@ON_SQLITE
def test_law_11_no_tag_and_no_namespace_stands_in_a_log(
    new_cache: NewCache, redis_client: redis.Redis, prefix: str
) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound", tags=["Anna Smith"], namespace="Smith", voice="a")
    assert cache.ladder.remove_group("tags", "Anna Smith")
    cache.remove("Hello", namespace="Smith", all_variants=True)
    told = [row.value for row in Row.objects.all()] + [
        repr(redis_client.xrange(f"{prefix}:removals"))
    ]
    assert len(told) > 2
    assert not any("Smith" in value for value in told)


def test_a_tag_that_a_later_put_took_off_removes_the_entry_no_more(new_tier: NewTier) -> None:
    tier = new_tier("redis")
    tier.put_many([entry("a", tags=("t",)), entry("b", tags=("t",))])
    tier.put_many([entry("a", tags=("other",), created=NOW + 1)])
    assert tier.remove_group("tags", "t") == 1
    assert tier.get(entry("a").key) is not None
    assert tier.remove_group("tags", "other") == 1


def test_a_fill_is_refused_where_the_log_has_moved_on(new_tier: NewTier, sql_kind: str) -> None:
    tier = new_tier(sql_kind)
    assert tier.put_many([entry("a")], only_missing=True, guard=Guard(0)) == {entry("a").key}
    removed, origin = tier.log.remove([Removal("key", entry("a").key)], NOW)
    assert (removed, origin.first, origin.last) == (1, 1, 1)
    assert tier.put_many([entry("a")], only_missing=True, guard=Guard(0)) == set()
    assert tier.get(entry("a").key) is None
    assert tier.put_many([entry("a")], guard=Guard(1)) == {entry("a").key}


def test_a_removal_while_redis_is_silent_is_done_before_redis_is_believed(
    new_tier: NewTier, new_cache: NewCache, own_redis: RedisServer
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), new_tier("redis", redis_url=own_redis.url)])
    cache.put("Hello", b"sound")
    cache.put("Kept", b"sound")
    own_redis.pause()
    cache.remove("Hello")
    assert cache.get("Hello") is None
    own_redis.resume()
    works_again(cache)
    assert cache.get("Hello") is None
    assert cache.get("Kept") == b"sound"


@ON_SQLITE
def test_a_removal_while_the_database_is_locked_is_done_before_it_is_believed(
    new_tier: NewTier, new_cache: NewCache
) -> None:
    memory, database, distributed = new_tier("memory"), new_tier("sqlite"), new_tier("redis")
    cache = new_cache(tiers=[memory, distributed, database])
    cache.put("Hello", b"sound")
    with failing(cache):
        cache.remove("Hello")
    assert database.get(KEY) is not None
    works_again(cache)
    assert cache.get("Hello") is None
    assert database.get(KEY) is None


@contextmanager
def failing(cache: Cache) -> Iterator[None]:
    """The circuit in front of the last tier is open."""
    circuit = cache.ladder.rungs[-1].circuit
    circuit.failed(TierUnavailable("gone"))
    yield


@ON_SQLITE
def test_a_look_up_waits_for_no_removal_that_began_after_it(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that has done with the database, and not yet with Redis."""
    cache = new_cache("sqlite")
    cache.put("Hello", b"sound")
    for name in ("memory", "persistent"):
        cache.tiers[name].clear()
    following, ledger = cache.ladder.following, cache.ladder.following.listener.ledger
    publish = following._reconciler.publish

    def publish_and_fall_behind() -> None:
        publish()
        ledger.remove([Removal("key", entry("Bye").key)], NOW)

    ledger.remove([Removal("key", entry("Bye").key)], NOW)
    monkeypatch.setattr(following._reconciler, "publish", publish_and_fall_behind)
    assert cache.get("Hello") == b"sound"
    assert following._reconciler.behind


@ON_SQLITE
def test_what_is_heard_while_a_tier_is_told_is_not_brought_back(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up need not wait for it, and what it found is not stored."""
    cache, elsewhere = new_cache("sqlite"), new_cache("sqlite")
    cache.put("Hello", b"sound")
    for name in ("memory", "persistent"):
        cache.tiers[name].clear()
    following = cache.ladder.following
    publish = following._reconciler.publish

    def publish_and_hear() -> None:
        publish()
        elsewhere.ladder.following.listener.ledger.remove([Removal("key", KEY)], NOW)
        following.listener.hear_ledger()

    following.listener.ledger.remove([Removal("key", entry("Bye").key)], NOW)
    monkeypatch.setattr(following._reconciler, "publish", publish_and_hear)
    cache.get("Hello")
    assert following._reconciler.behind
    assert cache.tiers["memory"].get(KEY) is None
    assert cache.tiers["persistent"].get(KEY) is None


@ON_SQLITE
def test_what_another_read_meanwhile_is_not_read_again(
    new_cache: NewCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else threads that remove would stand in line, each for a reading of its own."""
    following, readings = new_cache("sqlite").ladder.following, list[int]()
    read = following._read

    def count_and_read() -> None:
        readings.append(1)
        read()

    class Line:
        """Where another reads while we wait."""

        def acquire(self, timeout: float) -> bool:
            count_and_read()
            return bool(timeout)

        def release(self) -> None:
            """It is free again."""

    monkeypatch.setattr(following, "_read", count_and_read)
    following.now()
    assert len(readings) == 1
    monkeypatch.setattr(following, "_turn", Line())
    following.now()
    assert len(readings) == 2


@pytest.mark.untraced
@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["database first", "redis first"])
@ON_SQLITE
def test_who_removes_other_clips_makes_no_look_up_miss(
    new_cache: NewCache, new_tier: NewTier, in_threads: InThreads, order: tuple[int, int]
) -> None:
    tiers = [
        new_tier("memory", max_entries=2),
        new_tier("sqlite", max_entries=3),
        new_tier("redis"),
    ]
    cache = new_cache(tiers=[tiers[0], *(tiers[place] for place in order)])
    texts = [f"kept {number}" for number in range(30)]
    cache.put_many((text, b"sound") for text in texts)

    def work(number: int) -> list[str]:
        if number % 2:
            return [text for text in texts if cache.get(text) is None]
        for other in range(15):
            cache.remove(f"other {other}")
        return []

    assert in_threads(8, work) == [[]] * 8
