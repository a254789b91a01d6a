"""The cache as its callers see it, over memory, a database and Redis."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

from audiocache import FOREVER, CacheConfig, MultiTierAudioCache, Recording
from audiocache.clock import now_ms
from audiocache.entries import ORIGIN, AudioEntry
from audiocache.exceptions import TierBusy, TierError, TierUnavailable, WaitExpired
from audiocache.keys import clip_of
from audiocache.lru import ByteLRU
from audiocache.tiers.base import Tier
from audiocache.tiers.memory import MemoryTier
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier, server_url
from tests.factories import HOUR, NOW, FakeClock, entry

Cache = MultiTierAudioCache
InThreads = Callable[[int, Callable[[int], Any]], list[Any]]
TIERS = ("memory", "persistent", "distributed")
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


def counts(cache: Cache, event: str) -> tuple[int, ...]:
    """An event's counts in the order of the tiers."""
    told = cache.get_comprehensive_stats()["performance"][event]
    return tuple(told[name] for name in TIERS)


def holders(cache: Cache, text: str, **variant: Any) -> list[str]:
    """The tiers that hold a fresh entry."""
    key = cache.clip(text, **variant).key
    return [name for name, tier in cache.tiers.items() if tier.has_many([key], cache._clock())]


def empty(cache: Cache, *names: str) -> None:
    for name in names:
        cache.tiers[name].clear()


# put and get


def test_what_is_put_is_got_from_every_tier(cache: Cache) -> None:
    key = cache.put("Hello", WAV)
    assert key == clip_of("Hello").key
    assert len(key) == 64
    for gone in ([], ["memory"], ["memory", "persistent"]):
        empty(cache, *gone)
        assert cache.get("Hello") == WAV
    empty(cache, *TIERS)
    assert cache.get("Hello") is None


def test_a_hit_fills_the_tiers_above_and_only_those(cache: Cache) -> None:
    cache.put("Hello", WAV)
    empty(cache, "memory", "distributed")
    assert cache.get("Hello") == WAV
    assert holders(cache, "Hello") == ["memory", "persistent"]
    empty(cache, "memory", "persistent")
    cache.tiers["distributed"].put_many([entry("Hello", audio=WAV)])
    assert cache.get("Hello") == WAV
    assert holders(cache, "Hello") == list(TIERS)


def test_a_spare_entry_is_found_and_does_not_lie_in_redis(cache: Cache) -> None:
    """Nobody has asked for it yet: it takes what room there is, and leaves first."""
    clip = cache.clip("Hello")
    spare = cache.entry(clip, Recording(audio=WAV))._replace(spare=True)
    assert cache.keep(spare, cache.removal_mark()) == 2
    assert holders(cache, "Hello") == ["memory", "persistent"]
    found = cache.find(clip)
    assert found is not None
    assert (found.audio, found.tier) == (WAV, "memory")
    empty(cache, "memory")
    assert cache.get("Hello") == WAV
    assert holders(cache, "Hello") == ["memory", "persistent"]


def test_no_room_for_a_spare_entry_is_no_trouble(
    new_cache: NewCache, new_tier: NewTier, caplog: pytest.LogCaptureFixture
) -> None:
    cache = new_cache(tiers=[new_tier("memory", max_entries=1)])
    cache.put("Here", WAV)
    spare = cache.entry(cache.clip("Hello"), Recording(audio=WAV))._replace(spare=True)
    assert cache.keep(spare, cache.removal_mark()) == 0
    assert cache.get("Here") == WAV
    assert cache.get_comprehensive_stats()["performance"].get("unstored", 0) == 0
    assert "no tier took" not in caplog.text


def test_an_entry_tells_what_is_known_of_it(cache: Cache, clock: FakeClock) -> None:
    cache.put("Hello", WAV, tags=["b", "a"], ttl_seconds=60, voice="nova")
    clock.now += 1000
    found = cache.get_entry("Hello", voice="nova")
    assert found is not None
    assert (found.audio, found.content_type, found.tags) == (WAV, "audio/wav", ("a", "b"))
    assert (found.created, found.expires, found.keep_until) == (NOW, NOW + 60_000, NOW + 60_000)
    assert (found.tier, found.stale, found.joined) == ("memory", False, False)
    assert (found.text, found.label("voice")) == ("Hello", "nova")
    empty(cache, "memory")
    again = cache.get_entry("Hello", voice="nova")
    assert again == found._replace(tier="persistent")


def test_variant_namespace_and_text_tell_clips_apart(cache: Cache) -> None:
    ways: list[dict[str, Any]] = [
        {}, {"voice": "nova"}, {"voice": "nova", "model": "m2"}, {"namespace": "menu"},
        {"namespace": "menu", "voice": "nova"}, {"speed": 1}, {"speed": True},
    ]  # fmt: skip
    for number, way in enumerate(ways):
        cache.put("Hello", b"%d" % number, **way)
    assert [cache.get("Hello", **way) for way in ways] == [b"%d" % n for n in range(len(ways))]
    assert cache.get("hello") is None
    assert cache.get("  Hello\r\n", voice="nova", model=None) == b"1"
    assert cache.get("Hello", speed=1.0) == b"5"


def test_the_callers_bytes_are_taken_as_they_are(cache: Cache) -> None:
    for audio in (b"", b"{}", b"<html>", bytearray(b"x"), memoryview(b"y"), bytes(300_000)):
        cache.put("Hello", audio)
        empty(cache, "memory")
        assert cache.get("Hello") == bytes(audio)


def test_a_given_content_type_is_kept(cache: Cache) -> None:
    cache.put("Hello", WAV, content_type="audio/x-mine")
    empty(cache, "memory")
    found = cache.get_entry("Hello")
    assert found is not None
    assert found.content_type == "audio/x-mine"


def test_without_store_text_no_tier_holds_it(new_cache: NewCache, sql_kind: str) -> None:
    cache = new_cache(sql_kind, store_text=False)
    cache.put("Hello", WAV)
    for name in TIERS:
        found = cache.tiers[name].get(clip_of("Hello").key)
        assert found is not None
        assert found.text is None
        assert found.text_digest == clip_of("Hello").text_digest


# Life


@pytest.mark.parametrize(
    ("config", "ttl", "fresh_ms"),
    [({}, None, 24 * HOUR), ({"ttl_hours": 0.5}, None, HOUR // 2), ({}, 3, 3000), ({}, 0.25, 250)],
)
def test_an_entry_lives_as_long_as_it_was_told(
    new_cache: NewCache, sql_kind: str, clock: FakeClock, config: Any, ttl: Any, fresh_ms: int
) -> None:
    cache = new_cache(sql_kind, **config)
    cache.put("Hello", WAV, ttl_seconds=ttl)
    clock.now += fresh_ms - 1
    assert cache.get("Hello") == WAV
    clock.now += 1
    assert cache.get("Hello") is None
    assert not cache.has("Hello")
    assert holders(cache, "Hello") == []


@pytest.mark.parametrize("how", [({"ttl_hours": 0}, None), ({}, FOREVER)])
def test_an_entry_may_live_for_ever(
    new_cache: NewCache, sql_kind: str, clock: FakeClock, how: Any
) -> None:
    config, ttl = how
    cache = new_cache(sql_kind, **config)
    cache.put("Hello", WAV, ttl_seconds=ttl)
    clock.now += 100 * 365 * 24 * HOUR
    empty(cache, "memory")
    found = cache.get_entry("Hello")
    assert found is not None
    assert found.expires_at is None


def test_a_stale_entry_is_kept_but_no_verb_sees_it(
    new_cache: NewCache, sql_kind: str, clock: FakeClock
) -> None:
    cache = new_cache(sql_kind, stale_if_error_hours=1)
    cache.put("Hello", WAV, ttl_seconds=1)
    clock.now += 1000
    assert cache.get("Hello") is None
    assert cache.get_many(["Hello"]) == {}
    assert not cache.has("Hello")
    assert counts(cache, "hits") == (0, 0, 0)
    stale = cache.find_stale(cache.clip("Hello"))
    assert stale is not None
    assert (stale.audio, stale.stale) == (WAV, True)
    assert counts(cache, "stale") == (1, 0, 0)
    clock.now += HOUR
    assert cache.find_stale(cache.clip("Hello")) is None


def test_cleaning_up_tells_how_many_left_each_tier(cache: Cache, clock: FakeClock) -> None:
    cache.put_many([(str(number), WAV) for number in range(5)], ttl_seconds=1)
    cache.put("stays", WAV)
    clock.now += 1000
    assert cache.cleanup_expired() == {"memory": 5, "persistent": 5, "distributed": 0}
    assert cache.cleanup_expired() == {"memory": 0, "persistent": 0, "distributed": 0}
    assert cache.get("stays") == WAV


def test_without_a_tier_cleaning_up_still_names_it(new_cache: NewCache, new_tier: NewTier) -> None:
    cache = new_cache(tiers=[new_tier("memory")])
    assert cache.cleanup_expired() == {"memory": 0, "persistent": 0, "distributed": 0}


# has, remove, clear


def test_has_looks_everywhere_and_fills_and_counts_nothing(cache: Cache) -> None:
    assert not cache.has("Hello")
    cache.put("Hello", WAV, voice="nova")
    for gone in TIERS[:2]:
        empty(cache, gone)
        assert cache.has("Hello", voice="nova")
    assert not cache.has("Hello")
    assert holders(cache, "Hello", voice="nova") == ["distributed"]
    assert counts(cache, "hits") == counts(cache, "misses") == (0, 0, 0)


def test_removing_takes_one_variant_or_all(cache: Cache) -> None:
    for way in ({}, {"voice": "a"}, {"voice": "b"}, {"namespace": "n"}):
        cache.put("Hello", WAV, **way)
    cache.put("Bye", WAV)
    assert cache.remove("Hello", voice="a")
    assert not cache.remove("Hello", voice="a")
    assert holders(cache, "Hello", voice="a") == []
    assert cache.get("Hello") == cache.get("Hello", voice="b") == WAV
    assert cache.remove("Hello", all_variants=True)
    assert not any(cache.has("Hello", **way) for way in ({}, {"voice": "b"}))
    assert cache.has("Hello", namespace="n")
    assert not cache.remove("Hello", all_variants=True)
    assert cache.get("Bye") == WAV


@pytest.mark.parametrize("name", TIERS)
def test_removing_is_true_when_one_tier_had_it(cache: Cache, name: str) -> None:
    cache.tiers[name].put_many([entry("Hello")])
    assert cache.remove("Hello")
    assert holders(cache, "Hello") == []


def test_removing_a_clip_removes_its_renditions(cache: Cache) -> None:
    paid = {"voice": "nova"}
    source = clip_of("Hello", paid)
    wav = clip_of("Hello", {**paid, "format": "wav"}, source_variant=paid)
    for clip in (source, wav):
        cache.store(clip, Recording(audio=WAV))
    assert cache.remove("Hello", voice="nova")
    assert not cache.holds(wav)


def test_entries_are_removed_by_key(cache: Cache) -> None:
    keys = cache.put_many([("a", WAV), ("b", WAV), ("c", WAV)])
    assert cache.discard_many(keys[:2])
    assert [cache.has(text) for text in "abc"] == [False, False, True]
    assert not cache.discard_many(keys[:2])
    assert not cache.discard_many([])


def test_clear_empties_every_tier(cache: Cache) -> None:
    cache.put_many([(str(number), WAV) for number in range(5)])
    cache.clear()
    assert cache.get_many([str(number) for number in range(5)]) == {}
    cache.put("Hello", WAV)
    assert holders(cache, "Hello") == list(TIERS)


# Many


class Spied(MemoryTier):
    """Counts the calls that would be round trips."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(ByteLRU(1000, 10**9, clock=clock), clock)
        self.name, self.inline = "persistent", False  # type: ignore[misc]
        self.calls: list[str] = []

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        self.calls.append(f"get {len(keys)}")
        return super().get_many(keys)

    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        self.calls.append(f"put {len(entries)}")
        return super().put_many(entries, only_missing=only_missing)


def test_many_verbs_are_one_round_trip(
    new_cache: NewCache, new_tier: NewTier, clock: FakeClock
) -> None:
    spied = Spied(clock)
    cache = new_cache(tiers=[new_tier("memory"), spied])
    texts = [str(number) for number in range(50)]
    cache.put_many([(text, WAV) for text in texts[:40]])
    empty(cache, "memory")
    cache.put_many([(text, WAV) for text in texts[40:45]])
    cache.tiers["persistent"].remove_many([clip_of(text).key for text in texts[40:]])
    spied.calls.clear()
    assert set(cache.get_many(texts)) == set(texts[:45])
    assert spied.calls == ["get 45"]


def test_many_are_put_and_got_in_one_variant(cache: Cache) -> None:
    keys = cache.put_many({"b": b"2", "a": b"1"}, voice="nova", tags=["t"])
    assert keys == [clip_of("b", {"voice": "nova"}).key, clip_of("a", {"voice": "nova"}).key]
    empty(cache, "memory")
    assert cache.get_many(["a", "x", "b"], voice="nova") == {"a": b"1", "b": b"2"}
    assert cache.get_many(["a", "b"]) == {}
    assert cache.get_many([]) == {}
    assert cache.put_many([]) == []


def test_two_writings_of_one_text_are_one_clip(cache: Cache) -> None:
    cache.put("Hello you", WAV)
    assert cache.get_many(["Hello you", " Hello  you"]) == {"Hello you": WAV, " Hello  you": WAV}
    assert counts(cache, "hits") == (1, 0, 0)


def test_one_wrong_pair_among_many_stores_nothing(cache: Cache) -> None:
    with pytest.raises(TypeError, match="audio must be"):
        cache.put_many([("a", WAV), ("b", "no bytes")])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="ttl_seconds must be"):
        cache.put_many([("a", WAV)], ttl_seconds=0)
    assert not cache.has("a")


def test_warming_tells_how_many_were_stored(new_cache: NewCache, new_tier: NewTier) -> None:
    cache = new_cache(tiers=[new_tier("memory", max_bytes=10)])
    assert cache.warm_cache([("a", b"small"), ("b", bytes(11)), ("c", b"")]) == 2
    assert new_cache(tiers=[new_tier("memory")], enable_warming=False).warm_cache({"a": b""}) == 0


# Statistics


def test_statistics_have_the_shape_that_is_promised(cache: Cache, sql_kind: str) -> None:
    cache.put("Hello", WAV)
    cache.get("Hello")
    stats = cache.get_comprehensive_stats()
    assert stats["config"] == CacheConfig().masked()
    told = stats["performance"]
    for event in ("hits", "misses", "puts", "errors"):
        assert set(told[event]) == set(TIERS)
    assert told["memory_hit_rate"] == 1.0
    assert told["persistent_hit_rate"] == told["distributed_hit_rate"] == 0.0
    assert {"put"} <= set(told["latency"]["persistent"]) <= {"get", "put", "remove"}
    backends = stats["backends"]
    assert list(backends) == list(TIERS)
    assert [backends[name]["backend_type"] for name in TIERS] == ["memory", sql_kind, "redis"]
    assert [backends[name]["entry_count"] for name in TIERS] == [1, 1, None]
    assert [backends[name]["total_size_bytes"] for name in TIERS] == [len(WAV), len(WAV), None]
    for name in TIERS:
        assert {"evicted", "expired", "oversize", "available"} <= set(backends[name])
        assert backends[name]["available"] is True
    assert backends["memory"]["memory_usage_percent"] == 0.0
    assert ("db_path" in backends["persistent"]) is (sql_kind == "sqlite")


def test_secrets_are_not_in_the_statistics(new_cache: NewCache, new_tier: NewTier) -> None:
    cache = new_cache(
        tiers=[new_tier("memory")], redis_host="example.org", redis_password="my-secret"
    )
    assert "my-secret" not in str(cache.get_comprehensive_stats())


def test_every_look_up_counts_one_hit_or_miss_in_each_tier_asked(
    cache: Cache, clock: FakeClock
) -> None:
    cache.get("absent")
    assert (counts(cache, "hits"), counts(cache, "misses")) == ((0, 0, 0), (1, 1, 1))
    cache.get_or_create("Hello", lambda: WAV)
    assert (counts(cache, "hits"), counts(cache, "misses")) == ((0, 0, 0), (2, 2, 2))
    assert counts(cache, "puts") == (1, 1, 1)
    cache.get_entry("Hello")
    assert (counts(cache, "hits"), counts(cache, "misses")) == ((1, 0, 0), (2, 2, 2))
    empty(cache, "memory", "persistent")
    cache.get("Hello")
    assert (counts(cache, "hits"), counts(cache, "misses")) == ((1, 0, 1), (3, 3, 2))
    assert counts(cache, "backfills") == (1, 1, 0)
    clock.now += 25 * HOUR
    cache.get("Hello")
    assert (counts(cache, "hits"), counts(cache, "misses")) == ((1, 0, 1), (4, 4, 3))


@pytest.mark.untraced
@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["database first", "redis first"])
def test_the_look_ups_of_a_tier_are_the_misses_of_the_one_above(
    new_cache: NewCache,
    new_tier: NewTier,
    sql_kind: str,
    clock: FakeClock,
    in_threads: InThreads,
    order: tuple[int, int],
) -> None:
    """Exactly, while memory is trusted and is not, and other clips are removed."""
    patient = "&" if "?" in server_url() else "?"
    redis_url = f"{server_url()}{patient}socket_timeout=5"  # a slow machine is no outage
    tiers = [new_tier("memory"), new_tier(sql_kind), new_tier("redis", redis_url=redis_url)]
    cache = new_cache(tiers=[tiers[0], *(tiers[place] for place in order)])
    texts = [f"text {number}" for number in range(12)]
    verbs: list[tuple[Callable[[str, str], object], int]] = [  # with the look-ups that each is
        (lambda one, _: cache.put(one, WAV), 0),
        (lambda one, _: cache.remove(one), 0),
        (lambda one, _: cache.has(one), 0),
        (lambda one, _: cache.remove(one, all_variants=True), 0),
        (lambda one, _: cache.tiers[TIERS[len(one) % 3]].clear(), 0),
        (lambda one, other: cache.get_many([one, other]), 2),
        (lambda one, _: cache.get_or_create(one, lambda: WAV), 1),
        (lambda one, _: cache.get(one), 1),
    ]

    def work(number: int) -> int:
        chance, looked = random.Random(number), 0
        for _ in range(40):
            clock.now += chance.choice((0, 0, 1000))
            call, look_ups = chance.choice(verbs)
            call(*chance.sample(texts, 2))
            looked += look_ups
        return looked

    asked = sum(in_threads(8, work))
    hits, misses = counts(cache, "hits"), counts(cache, "misses")
    assert counts(cache, "errors") == (0, 0, 0)
    assert hits[0] + misses[0] == asked
    for above, below in itertools.pairwise((0, *order)):
        assert hits[below] + misses[below] == misses[above]


def test_switched_off_nothing_is_counted(new_cache: NewCache, new_tier: NewTier) -> None:
    cache = new_cache(tiers=[new_tier("memory")], enable_statistics=False)
    cache.put("Hello", WAV)
    cache.get("Hello")
    assert counts(cache, "hits") == counts(cache, "puts") == (0, 0, 0)


def test_the_counters_of_all_processes_come_together(new_cache: NewCache, sql_kind: str) -> None:
    first, second = new_cache(sql_kind), new_cache(sql_kind)
    first.put("Hello", WAV)
    first.get("Hello")
    first.flush()
    second.get("Hello")
    second.get("absent")
    told = second.get_installation_stats()
    assert told["memory.hits"] == 1
    assert told["memory.misses"] == 2
    assert told["persistent.hits"] == 1
    assert told["persistent.puts"] == 1
    assert first.get_installation_stats() == told


# get_or_create


def test_it_is_made_on_a_miss_and_found_ever_after(cache: Cache) -> None:
    made = iter([WAV])
    for _ in range(2):
        assert cache.get_or_create("Hello", lambda: next(made), voice="nova") == WAV
    assert cache.get("Hello", voice="nova") == WAV
    assert holders(cache, "Hello", voice="nova") == list(TIERS)
    told = cache.get_comprehensive_stats()["performance"]
    assert (told["created"], told["joined"]) == (1, 0)


def test_it_takes_the_options_of_a_put_and_a_recording_with_its_own(cache: Cache) -> None:
    cache.get_or_create("a", lambda: bytearray(WAV), ttl_seconds=5, tags=["t"], content_type="x/y")
    found = cache.get_entry("a")
    assert found is not None
    assert (found.tags, found.content_type, found.expires) == (("t",), "x/y", NOW + 5000)
    recording = Recording(audio=WAV, duration_ms=5, cost=7, tags=("own",))
    assert cache.get_or_create("b", lambda: recording) == WAV
    found = cache.get_entry("b")
    assert found is not None
    assert (found.duration_ms, found.cost, found.tags) == (5, 7, ("own",))


def test_an_entry_that_was_made_says_so(cache: Cache) -> None:
    made = cache.find_or_create(cache.clip("a"), lambda: Recording(audio=WAV))
    assert (made.tier, made.joined) == (ORIGIN, False)
    assert cache.find_or_create(cache.clip("a"), pytest.fail).tier == "memory"


def test_an_error_is_the_callers_and_nothing_is_stored(cache: Cache) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_or_create("Hello", lambda: bytes(1 // 0))
    assert not cache.has("Hello")
    assert cache.get_or_create("Hello", lambda: WAV) == WAV


@pytest.mark.parametrize("made", ["text", None, 5, Recording(audio="text")], ids=repr)  # type: ignore[arg-type]
def test_what_is_made_must_be_bytes(cache: Cache, made: Any) -> None:
    with pytest.raises(TypeError, match="audio must be bytes"):
        cache.get_or_create("Hello", lambda: made)
    assert not cache.has("Hello")


@pytest.mark.parametrize(
    "option",
    [
        {"ttl_seconds": 0},
        {"ttl_seconds": "60"},
        {"tags": "abc"},
        {"tags": [1]},
        {"content_type": 5},
    ],
    ids=str,
)
def test_a_wrong_option_is_told_before_anything_is_paid_for(
    cache: Cache, option: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{next(iter(option))} must"):
        cache.get_or_create("Hello", pytest.fail, **option)


def test_fifty_threads_make_one_call(cache: Cache, in_threads: InThreads) -> None:
    calls: list[int] = []

    def create() -> bytes:
        calls.append(1)
        time.sleep(0.2)
        return WAV

    assert in_threads(50, lambda _: cache.get_or_create("Hello", create)) == [WAV] * 50
    assert len(calls) == 1
    assert cache.get_comprehensive_stats()["performance"]["created"] == 1


def test_an_error_is_shared_by_all_who_waited(cache: Cache, in_threads: InThreads) -> None:
    calls: list[int] = []
    error = ConnectionError("quota")

    def fail() -> bytes:
        calls.append(1)
        time.sleep(0.5)
        raise error

    connected = threading.Barrier(20)

    def ask(_: int) -> BaseException:
        cache.get("another text")
        connected.wait(20)
        with pytest.raises(ConnectionError) as caught:
            cache.get_or_create("Hello", fail)
        return caught.value

    assert in_threads(20, ask) == [error] * 20
    assert len(calls) == 1


def test_a_create_that_asks_for_itself_is_told_so(cache: Cache) -> None:
    with pytest.raises(RuntimeError, match="the very clip that it is making"):
        cache.get_or_create("Hello", lambda: cache.get_or_create("Hello", pytest.fail))
    assert cache.get_or_create("Hello", lambda: WAV) == WAV


def test_a_create_may_ask_for_another_clip(cache: Cache) -> None:
    both = cache.get_or_create("both", lambda: cache.get_or_create("one", lambda: b"1") + b"2")
    assert (both, cache.get("one")) == (b"12", b"1")


def test_two_renditions_of_one_source_are_both_made(cache: Cache, in_threads: InThreads) -> None:
    clips = [clip_of("a", {"format": name}, source_variant={}) for name in ("mp3", "wav")]
    running = threading.Lock()

    def create() -> Recording:
        assert running.acquire(blocking=False)  # one paid call at a time
        time.sleep(0.05)
        running.release()
        return Recording(audio=WAV)

    made = in_threads(8, lambda number: cache.find_or_create(clips[number % 2], create))
    assert [one.key for one in made] == [clips[number % 2].key for number in range(8)]
    assert cache.get_comprehensive_stats()["performance"]["created"] == 2


def test_a_caller_may_leave_and_the_clip_is_stored_all_the_same(cache: Cache) -> None:
    go = threading.Event()

    def create() -> Recording:
        assert go.wait(10)
        return Recording(audio=WAV)

    clip = cache.clip("Hello")
    with pytest.raises(WaitExpired):
        cache.find_or_begin(clip, create, 0.01)
    go.set()
    assert cache.find_or_begin(clip, pytest.fail, 10).audio == WAV
    assert cache.get("Hello") == WAV


def test_an_error_that_looks_like_a_time_out_is_the_calls_own(cache: Cache) -> None:
    def fail() -> Recording:
        raise TimeoutError("the provider's")

    with pytest.raises(TimeoutError, match="the provider's"):
        cache.find_or_begin(cache.clip("Hello"), fail, 10)


def test_it_looks_again_before_it_pays(cache: Cache) -> None:
    """Another process may have stored the clip between a look-up and the flight."""
    cache.tiers["distributed"].put_many([entry("Hello", audio=WAV)])
    again = cache.look_again(cache.clip("Hello"))
    assert again is not None
    assert again.audio == WAV
    assert counts(cache, "hits") == counts(cache, "misses") == (0, 0, 0)
    assert holders(cache, "Hello") == ["distributed"]


# A tier in trouble


class Broken(Tier):
    """Fails in every verb."""

    name = "persistent"
    shared = keeps_counts = True

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.asked = 0

    def _fail(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise self.error

    get_many = put_many = remove_many = remove_group = clear = cleanup = stats = _fail
    check = has_many = touched = add_counts = read_counts = _fail

    def unknown_stats(self) -> dict[str, Any]:
        return {"backend_type": "sqlite", "entry_count": None, "total_size_bytes": None}


@pytest.mark.parametrize(
    "error", [TierUnavailable("gone"), TierBusy("full"), TierError("READONLY")], ids=repr
)
def test_a_tier_in_trouble_is_a_miss_and_no_caller_sees_its_error(
    new_cache: NewCache, new_tier: NewTier, error: TierError
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), Broken(error), new_tier("redis")])
    assert cache.get("absent") is None
    key = cache.put("Hello", WAV)
    assert key == clip_of("Hello").key
    empty(cache, "memory")
    assert cache.get("Hello") == WAV
    assert cache.get_many(["Hello"]) == {"Hello": WAV}
    assert cache.get_or_create("more", lambda: WAV) == WAV
    assert cache.has("Hello")
    assert cache.warm_cache([("a", WAV)]) == 1
    assert cache.cleanup_expired()["persistent"] == 0
    assert cache.remove("Hello")
    cache.flush()
    cache.clear()
    assert cache.get_installation_stats() == {}
    stats = cache.get_comprehensive_stats()
    assert stats["performance"]["errors"]["persistent"] >= 1
    assert stats["performance"]["misses"]["persistent"] == 0
    assert stats["backends"]["persistent"]["entry_count"] is None
    assert stats["backends"]["persistent"]["available"] is not isinstance(error, TierUnavailable)


def test_a_tier_that_is_out_is_passed_over_and_logged_once(
    new_cache: NewCache, new_tier: NewTier, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken(TierUnavailable("gone"))
    cache = new_cache(tiers=[new_tier("memory"), broken])
    for number in range(20):
        cache.get(f"text {number}")
    assert broken.asked == 1
    assert counts(cache, "errors") == (0, 1, 0)
    assert caplog.text.count("tier in trouble tier=persistent") == 1


def test_errors_that_are_no_trouble_of_a_tier_are_not_caught(
    new_cache: NewCache, new_tier: NewTier
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), Broken(ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        cache.get("Hello")
    cache.tiers["persistent"].error = TierError("for the rest of the test")  # type: ignore[attr-defined]


def test_a_clip_that_no_tier_takes_is_counted_and_logged_and_not_raised(
    new_cache: NewCache, new_tier: NewTier, caplog: pytest.LogCaptureFixture
) -> None:
    tiers = [new_tier("memory", max_bytes=2), Broken(TierUnavailable("gone"))]
    cache = new_cache(tiers=tiers)
    caplog.set_level(logging.INFO)
    key = cache.put("secret phrase", b"large")
    assert cache.get_comprehensive_stats()["performance"]["unstored"] == 1
    assert f"no tier took the clip key={key} bytes=5" in caplog.text
    assert "secret phrase" not in caplog.text
    assert cache.get_or_create("other", lambda: b"large") == b"large"


def test_an_entry_over_a_tiers_limit_skips_that_tier_and_is_counted(
    new_cache: NewCache, new_tier: NewTier, sql_kind: str
) -> None:
    small = [new_tier("memory", max_bytes=10), new_tier(sql_kind, max_bytes=20),
             new_tier("redis", max_bytes=30)]  # fmt: skip
    cache = new_cache(tiers=small)
    for size, expected in ((25, TIERS[2:]), (15, TIERS[1:]), (5, TIERS)):
        cache.put(f"{size}", bytes(size))
        assert holders(cache, f"{size}") == list(expected)
        assert cache.get(f"{size}") == bytes(size)
    backends = cache.get_comprehensive_stats()["backends"]
    assert backends["distributed"]["oversize"] == 0
    assert backends["persistent"]["oversize"] >= 1
    assert backends["memory"]["oversize"] >= 2


# Bad input


CALLS: dict[str, Callable[[Cache, Any], Any]] = {
    "get": lambda cache, text: cache.get(text),
    "get_entry": lambda cache, text: cache.get_entry(text),
    "has": lambda cache, text: cache.has(text),
    "put": lambda cache, text: cache.put(text, WAV),
    "remove": lambda cache, text: cache.remove(text),
    "get_or_create": lambda cache, text: cache.get_or_create(text, pytest.fail),
    "get_many": lambda cache, text: cache.get_many([text]),
    "put_many": lambda cache, text: cache.put_many([(text, WAV)]),
    "warm_cache": lambda cache, text: cache.warm_cache([(text, WAV)]),
}


@pytest.fixture
def small(new_cache: NewCache, new_tier: NewTier) -> Cache:
    return new_cache(tiers=[new_tier("memory")])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("text", "error"),
    [("", ValueError), (" \n", ValueError), ("\x00", ValueError), ("\ud800", ValueError),
     (None, TypeError), (5, TypeError), (b"x", TypeError)],
    ids=ascii,
)  # fmt: skip
def test_a_text_that_is_none_is_refused_by_every_verb(
    small: Cache, call: Callable[[Cache, Any], Any], text: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="text must"):
        call(small, text)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"voice": b"x"}, TypeError, "voice must be"),
        ({"speed": float("nan")}, ValueError, "speed must be finite"),
        ({"namespace": 5}, TypeError, "namespace must be"),
        ({"namespace": "a\n"}, ValueError, "namespace must have"),
        ({"ttl_seconds": -1}, ValueError, "ttl_seconds must be"),
        ({"ttl_seconds": True}, ValueError, "ttl_seconds must be"),
        ({"ttl_seconds": "1"}, TypeError, "ttl_seconds must be"),
        ({"tags": "abc"}, TypeError, "tags must be"),
        ({"tags": [""]}, ValueError, "tags must have"),
        ({"tags": ["\ud800"]}, ValueError, "tags must have"),
        ({"content_type": 5}, TypeError, "content_type must be"),
        ({"content_type": "a\nb"}, ValueError, "content_type must have"),
    ],
    ids=lambda value: ascii(value) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_refused_by_name_and_nothing_is_stored(
    small: Cache, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    small.put("Hello", WAV)
    with pytest.raises(error, match=message):
        small.put("Hello", b"other", **options)
    assert small.get("Hello") == WAV
    assert small.get_comprehensive_stats()["backends"]["memory"]["entry_count"] == 1


@pytest.mark.parametrize("audio", ["text", None, 5, [1], len], ids=str)
def test_audio_that_is_not_bytes_is_refused(small: Cache, audio: Any) -> None:
    for call in (small.put, lambda text, value: small.warm_cache([(text, value)])):
        with pytest.raises(TypeError, match="audio must be bytes, bytearray or memoryview"):
            call("Hello", audio)
    assert not small.has("Hello")


def test_a_look_up_takes_no_option_of_a_put(small: Cache) -> None:
    with pytest.raises(TypeError, match="ttl_seconds is reserved"):
        small.get("Hello", ttl_seconds=5)


# From an earlier cache


def test_an_entry_under_the_raw_texts_digest_is_found_and_removed(cache: Cache) -> None:
    raw = entry(" Hello  you")
    cache.tiers["persistent"].put_many([raw])
    assert cache.get(" Hello  you") == raw.audio
    assert cache.get("Hello you") == raw.audio
    assert cache.remove(" Hello  you")
    assert cache.get(" Hello  you") is None


# Its end


@ON_SQLITE
def test_a_closed_cache_has_written_its_counts_and_may_be_used_again(
    new_cache: NewCache,
) -> None:
    cache = new_cache("sqlite")
    cache.put("Hello", WAV)
    cache.close()
    assert cache.get("Hello") == WAV
    assert new_cache("sqlite").get_installation_stats()["memory.puts"] == 1


def test_by_itself_it_uses_the_system_clock_and_threads_of_its_own() -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory"))
    before = now_ms()
    cache.put("Hello", WAV)
    found = cache.get_entry("Hello")
    assert found is not None
    assert before <= found.created <= now_ms()
    assert list(cache.tiers) == ["memory"]
    cache.close()
