"""What is special about Redis: its bytes, its expiry, generations, damage and trouble."""

from __future__ import annotations

import pickle
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from pytest_django import Settings
from xxhash import xxh3_64_intdigest

from audiocache import codec
from audiocache.conf import CacheConfig
from audiocache.entries import AudioEntry
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.removals import ALL, Cursor, Guard, Removal
from audiocache.tiers.distributed import LONGEST_MS, DistributedTier
from audiocache.tiers.redis_connection import connect
from project.servers import RedisServer, start_redis
from tests.audiocache.conftest import NewTier
from tests.factories import HOUR, NOW, FakeClock, entry

Damage = Callable[[bytes], bytes]


def place(prefix: str, made: AudioEntry) -> str:
    """The key in Redis under which an entry lies."""
    return f"{prefix}:entry:{made.key}"


def everything(client: redis.Redis, prefix: str) -> dict[bytes, bytes]:
    """Keys below a prefix with all that lies under them, as the server has it."""
    return {key: client.dump(key) for key in client.scan_iter(f"{prefix}*")}  # type: ignore[misc]


# What lies in Redis


def test_keys_tell_no_text_tag_or_namespace(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    private = ("private phrase", "private tag", "private room")
    redis_tier.put_many([entry(private[0], tags=(private[1],), namespace=private[2])])
    redis_tier.clear()
    names = b" ".join(everything(redis_client, prefix))
    assert names.count(prefix.encode()) == 4
    assert b"private" not in names


def test_nothing_in_redis_is_a_pickle(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", tags=("t",), parameters={"voice": "nova"})
    redis_tier.put_many([made])
    redis_tier.clear()
    value = redis_client.get(place(prefix, made))
    assert isinstance(value, bytes)
    assert value[:3] == b"\xacA\x01"
    assert value.endswith(made.audio)
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(value)
    for stored in everything(redis_client, prefix).values():
        assert not any(bytes((0x80, protocol)) in stored[:8] for protocol in range(2, 6))


def test_without_its_text_an_entry_has_none_in_redis(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("private phrase", text=None, audio=b"sound")
    redis_tier.put_many([made])
    assert b"private" not in b"".join(everything(redis_client, prefix).values())
    assert redis_tier.get(made.key) == made._replace(tier="distributed")


@pytest.mark.parametrize(
    ("life", "expected"),
    [
        ({"ttl": 3000}, 3000),
        ({"ttl": 3000, "stale": HOUR}, 3000 + HOUR),
        ({"ttl": 400 * 24 * HOUR}, 400 * 24 * HOUR),
        ({"ttl": 0}, LONGEST_MS),
    ],
    ids=["its life", "with its stale window", "a long life", "without end: 30 days"],
)
def test_redis_expires_an_entry_at_keep_until(
    redis_tier: DistributedTier,
    redis_client: redis.Redis,
    prefix: str,
    clock: FakeClock,
    life: dict[str, Any],
    expected: int,
) -> None:
    made = entry("a", **life)
    clock.now += 1000
    redis_tier.put_many([made])
    left = redis_client.pttl(place(prefix, made))
    gone_by = 0 if made.keep_until > NOW + 10**14 else 1000
    assert expected - gone_by - 500 < left <= expected - gone_by


def test_the_index_of_a_group_outlives_its_members(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    redis_tier.put_many([entry("a", tags=("t",), ttl=400 * 24 * HOUR)])
    redis_tier.put_many([entry("b", tags=("t",), ttl=1000)])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    assert redis_client.pttl(group) >= LONGEST_MS


# Generations


def test_clear_leaves_the_keys_of_neighbours(
    redis_tier: DistributedTier, new_tier: NewTier, redis_client: redis.Redis, prefix: str
) -> None:
    neighbour = new_tier("redis", redis_prefix=f"{prefix}-2")
    made = entry("a")
    redis_tier.put_many([made])
    neighbour.put_many([made])
    redis_client.set(f"{prefix}-3", "another program's")
    redis_tier.clear()
    assert redis_tier.get(made.key) is None
    assert neighbour.get(made.key) == made._replace(tier="distributed")
    assert redis_client.get(f"{prefix}-3") == b"another program's"


def test_a_clear_is_seen_by_every_process_at_once(
    redis_tier: DistributedTier, new_tier: NewTier
) -> None:
    other = new_tier("redis")
    made = entry("a")
    redis_tier.put_many([made])
    assert other.get(made.key) is not None
    redis_tier.clear()
    assert other.get(made.key) is None
    assert other.has_many([made.key], NOW) == set()
    assert other.remove_many([made.key]) == 0


def test_what_is_put_after_a_clear_elsewhere_stays(
    redis_tier: DistributedTier, new_tier: NewTier
) -> None:
    other = new_tier("redis")
    made = entry("a")
    assert other.get(made.key) is None
    redis_tier.clear()
    assert other.put_many([made]) == {made.key}
    assert redis_tier.get(made.key) is not None


def test_a_clip_begun_before_a_clear_elsewhere_is_refused(
    redis_tier: DistributedTier, new_tier: NewTier
) -> None:
    other = new_tier("redis")
    made, guard = entry("a"), Guard(0, other.log.read(None).cursor)
    redis_tier.log.remove([Removal(ALL)], NOW)
    assert other.put_many([made], guard=guard) == set()
    assert redis_tier.get(made.key) is None


def test_a_lost_generation_revives_nothing_that_was_cleared(
    redis_tier: DistributedTier, new_tier: NewTier, redis_client: redis.Redis, prefix: str
) -> None:
    """A server that evicts any key may take the generation, too."""
    first, second = entry("a"), entry("b")
    redis_tier.put_many([first])
    redis_tier.clear()
    redis_tier.put_many([second])
    redis_client.delete(f"{prefix}:generation")
    for tier in (new_tier("redis"), redis_tier):
        assert tier.get_many([first.key, second.key]) == {}
        tier.clear()
        assert tier.get_many([first.key, second.key]) == {}
        redis_client.delete(f"{prefix}:generation")
        assert tier.get_many([first.key, second.key]) == {}


def test_two_that_begin_a_generation_share_it(new_tier: NewTier) -> None:
    one, other = new_tier("redis"), new_tier("redis")
    assert one.get(entry("a").key) is other.get(entry("a").key) is None
    one.put_many([entry("a")])
    assert other.get(entry("a").key) is not None


# Back-fills


@pytest.mark.parametrize("size", [10, 100_000], ids=["small", "large"])
def test_a_back_fill_replaces_what_is_kept_past_its_freshness(
    redis_tier: DistributedTier, clock: FakeClock, size: int
) -> None:
    """Else an entry that is kept for a provider's failure keeps the fresh one out."""
    old = entry("a", ttl=1000, stale=HOUR, audio=bytes(size))
    redis_tier.put_many([old])
    clock.now += 999
    fresh = old._replace(audio=b"y" * size, expires=NOW + HOUR, keep_until=NOW + HOUR)
    assert redis_tier.put_many([fresh], only_missing=True) == set()
    assert redis_tier.get(old.key) == old._replace(tier="distributed")
    clock.now += 1
    assert redis_tier.put_many([fresh], only_missing=True) == {old.key}
    assert redis_tier.get(old.key) == fresh._replace(tier="distributed")


def test_a_back_fill_replaces_nothing_that_is_for_ever(redis_tier: DistributedTier) -> None:
    made = entry("a", ttl=0)
    redis_tier.put_many([made])
    assert redis_tier.put_many([made._replace(audio=b"new")], only_missing=True) == set()


@pytest.mark.parametrize("damage", ["cut in its header", "a pickle", "empty"])
def test_a_back_fill_replaces_what_is_no_envelope(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str, damage: str
) -> None:
    made = entry("a")
    redis_tier.put_many([made])
    value = redis_client.get(place(prefix, made))
    assert isinstance(value, bytes)
    redis_client.set(place(prefix, made), DAMAGES[damage](value))
    assert redis_tier.put_many([made], only_missing=True) == {made.key}
    assert redis_tier.get(made.key) is not None


def test_a_back_fill_replaces_an_entry_of_another_generation(redis_tier: DistributedTier) -> None:
    made = entry("a")
    redis_tier.put_many([made])
    redis_tier.clear()
    assert redis_tier.put_many([made], only_missing=True) == {made.key}


# Puts


def test_a_server_that_lost_the_scripts_is_sent_them_again(
    redis_tier: DistributedTier, redis_client: redis.Redis
) -> None:
    made = [entry("a"), entry("b", audio=bytes(100_000), tags=("t",))]
    redis_client.script_flush()
    assert redis_tier.put_many(made) == {made[0].key, made[1].key}
    assert set(redis_tier.get_many([one.key for one in made])) == {made[0].key, made[1].key}


@pytest.fixture
def trips(redis_tier: DistributedTier, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each round trip of the tier."""
    pool, trips = redis_tier._redis._client.connection_pool, list[str]()
    get_connection = pool.get_connection

    def counted() -> Any:
        trips.append("trip")
        return get_connection()

    monkeypatch.setattr(pool, "get_connection", counted)
    return trips


def test_a_put_is_one_round_trip(redis_tier: DistributedTier, trips: list[str]) -> None:
    made = [entry(f"{number}", tags=("t",), audio=bytes(number * 1000)) for number in range(50)]
    redis_tier.put_many(made)
    trips.clear()
    assert len(redis_tier.put_many(made)) == 50
    assert trips == ["trip"]


@pytest.mark.parametrize("tags", [(), ("a", 'b"]'), tuple(f"tag {n}" for n in range(9))])
def test_a_look_up_of_entries_with_groups_is_one_round_trip(
    redis_tier: DistributedTier, trips: list[str], tags: tuple[str, ...]
) -> None:
    said = [{"voice": "b", "number": number} for number in range(50)]
    made = [entry("a", parameters=one, namespace="n", tags=tags) for one in said]
    redis_tier.put_many(made)
    redis_tier.get_many([made[0].key])  # the server knows the script
    trips.clear()
    assert len(redis_tier.get_many([one.key for one in made])) == 50
    assert trips == ["trip"]


@pytest.mark.parametrize("how", ["script lost", "not listed", "listed oddly"])
def test_where_the_server_cannot_say_of_the_groups_they_are_asked_for_afterwards(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str, how: str
) -> None:
    made, lost = (entry(said, parameters={"voice": "b"}, tags=(said,)) for said in ("a", "b"))
    redis_tier.put_many([made, lost])
    redis_client.delete(redis_tier._names.group("tags", "b"))
    generation = redis_tier._generation.known()
    groups = ['"]'] if how == "listed oddly" else ()
    for one in (made, lost) if how != "script lost" else ():
        redis_client.set(place(prefix, one), codec.encode(one, generation, groups))
    redis_client.script_flush()
    for _ in range(2):
        assert set(redis_tier.get_many([made.key, lost.key])) == {made.key}


def test_a_large_value_leaves_no_upload(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", audio=bytes(100_000), ttl=HOUR)
    assert redis_tier.put_many([made]) == {made.key}
    assert redis_tier.put_many([made], only_missing=True) == set()
    assert redis_tier.get(made.key) == made._replace(tier="distributed")
    assert redis_client.keys(f"{prefix}:entry:*") == [place(prefix, made).encode()]
    assert HOUR - 5000 < redis_client.pttl(place(prefix, made)) <= HOUR


def test_short_lives_are_no_trouble(new_tier: NewTier, clock: FakeClock) -> None:
    """The clock runs on between two looks at it."""

    class Running(FakeClock):
        def __call__(self) -> int:
            self.now += 1
            return self.now

    running = Running()
    tier = DistributedTier(new_tier("redis")._redis, prefix="short", clock=running)
    for number in range(20):
        made = entry(f"{number}", created=running.now, ttl=1 + number % 4)
        tier.put_many([made._replace(keep_until=made.expires)])


def test_an_entry_whose_time_is_over_is_not_taken(
    redis_tier: DistributedTier, clock: FakeClock
) -> None:
    made = entry("a", ttl=1000)
    for passed in (1000, 1):
        clock.now += passed
        assert redis_tier.put_many([made]) == set()
        assert redis_tier.put_many([made], only_missing=True) == set()


# Groups


def test_a_group_forgets_those_that_left(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    redis_tier.put_many([entry(f"{n}", tags=("t",)) for n in range(300)])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    assert redis_client.zcard(group) == 300
    long_ago: dict[Any, float] = dict.fromkeys(redis_client.zrange(group, 0, -1), 1)
    redis_client.zadd(group, long_ago)
    for number in range(31):
        redis_tier.put_many([entry(f"late {number}", tags=("t",))])
    assert redis_client.zcard(group) == 31


def test_a_group_leaves_with_its_last_member(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    redis_tier.put_many([entry("a", tags=("t",), ttl=HOUR)])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    assert HOUR < redis_client.pttl(group) <= HOUR + 1000


def test_a_short_life_does_not_shorten_its_groups(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    long = 300 * 24 * HOUR
    redis_tier.put_many([entry("a", parameters={"voice": "a"}, ttl=long)])
    redis_tier.put_many([entry("a", parameters={"voice": "b"}, ttl=60_000)])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    assert redis_client.pttl(group) > long - 5000


def test_a_time_out_during_a_removal_orphans_no_entry(
    redis_tier: DistributedTier, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [entry(f"{number}", tags=("t",)) for number in range(250)]
    redis_tier.put_many(made)
    members, asked = redis_tier._groups.members, []

    def fail_later(group: str, start: int) -> list[bytes]:
        asked.append(group)
        if len(asked) == 2:
            raise TierUnavailable("TimeoutError")
        return members(group, start)

    monkeypatch.setattr(redis_tier._groups, "members", fail_later)
    with pytest.raises(TierUnavailable):
        redis_tier.remove_group("tags", "t")
    assert len(redis_tier.get_many([one.key for one in made])) == 150
    assert redis_tier.remove_group("tags", "t") == 150
    assert redis_tier.get_many([one.key for one in made]) == {}


def test_an_entry_and_its_place_in_a_group_leave_at_once(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    """A put in between would leave an entry that no removal of the group finds."""
    redis_tier.put_many([entry("a", tags=("t",))])
    words: list[str] = []
    with redis_client.monitor() as monitor:  # type: ignore[no-untyped-call]
        assert redis_tier.remove_group("tags", "t") == 1
        redis_client.echo("the end")
        while "ECHO" not in words:  # other tests' commands come along
            told = monitor.next_command()["command"]
            words += [told.partition(" ")[0]] if prefix in told or "ECHO" in told else []
    inside = words[words.index("EVALSHA") :]
    assert [word for word in inside if word in ("UNLINK", "ZREM")] == ["UNLINK", "ZREM"]


def test_a_removal_that_the_server_refuses_is_trouble(
    new_tier: NewTier, own_server: RedisServer
) -> None:
    """A primary that became a replica takes no writes."""
    tier = new_tier("redis", redis_url=own_server.url)
    made = entry("a", tags=("t",))
    tier.put_many([made])
    with redis.Redis.from_url(own_server.url) as client:
        client.replicaof("127.0.0.1", "1")
        try:
            for verb in (VERBS["remove"], VERBS["remove group"]):
                with pytest.raises(TierError, match="ReadOnlyError"):
                    verb(tier)
        finally:
            client.replicaof("NO", "ONE")
    assert tier.get(made.key) is not None


def test_a_text_is_removed_in_its_namespace_alone(redis_tier: DistributedTier) -> None:
    bare = [entry("a"), entry("a", parameters={"voice": "b"})]
    roomy = [entry("a", namespace="n", parameters=given) for given in ({}, {"voice": "b"})]
    redis_tier.put_many([*bare, *roomy])
    digest = bare[0].text_digest
    assert redis_tier.remove_group("text_digest", digest, "n") == 2
    assert set(redis_tier.get_many([one.key for one in [*bare, *roomy]])) == {e.key for e in bare}
    redis_tier.put_many(roomy)
    assert redis_tier.remove_group("text_digest", digest) == 2
    assert set(redis_tier.get_many([one.key for one in [*bare, *roomy]])) == {e.key for e in roomy}


def test_sources_and_tags_know_no_namespace(redis_tier: DistributedTier) -> None:
    made = entry("a", namespace="n", tags=("t",))
    redis_tier.put_many([made])
    assert redis_tier.remove_group("source_key", made.key, "other") == 1
    redis_tier.put_many([made])
    assert redis_tier.remove_group("tags", "t", "other") == 1


# Damage


def newer(value: bytes) -> bytes:
    return value[:2] + bytes([codec.VERSION + 1]) + value[3:]


def other_key(value: bytes) -> bytes:
    found, generation = codec.decode(value)
    return codec.encode(found._replace(key="00" * 32), generation)


DAMAGES: dict[str, Damage] = {
    "a flipped bit in the sound": lambda value: value[:-2] + bytes([value[-2] ^ 4]) + value[-1:],
    "a flipped bit in an instant": lambda value: value[:60] + bytes([value[60] ^ 4]) + value[61:],
    "a flipped bit in a detail": lambda value: value[:90] + bytes([value[90] ^ 4]) + value[91:],
    "cut by a byte": lambda value: value[:-1],
    "cut in its header": lambda value: value[:20],
    "cut in its first bytes": lambda value: value[:5],
    "empty": lambda value: b"",
    "a pickle": lambda value: pickle.dumps({"audio": b"x"}),
    "text": lambda value: b"hello, this is some other program's value",
    "another key's envelope": other_key,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_value_is_a_counted_miss_and_deleted(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str, damage: Damage
) -> None:
    bad, good = entry("bad"), entry("good")
    redis_tier.put_many([bad, good])
    value = redis_client.get(place(prefix, bad))
    assert isinstance(value, bytes)
    redis_client.set(place(prefix, bad), damage(value))
    assert set(redis_tier.get_many([bad.key, good.key])) == {good.key}
    assert redis_tier.counts["corrupt"] == 1
    assert not redis_client.exists(place(prefix, bad))
    assert redis_client.exists(place(prefix, good))


def test_a_value_of_a_newer_schema_is_a_counted_miss_and_kept(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a")
    redis_tier.put_many([made])
    value = redis_client.get(place(prefix, made))
    assert isinstance(value, bytes)
    redis_client.set(place(prefix, made), newer(value))
    assert redis_tier.get(made.key) is None
    assert redis_tier.has_many([made.key], NOW) == set()
    assert redis_tier.put_many([made], only_missing=True) == set()
    assert redis_tier.put_many([made]) == set()
    assert redis_tier.put_many([made._replace(audio=bytes(100_000))]) == set()
    assert redis_tier.put_many([made._replace(audio=bytes(2**21))]) == set()
    assert (redis_tier.counts["newer_schema"], redis_tier.counts["corrupt"]) == (5, 0)
    assert len(redis_client.keys(f"{prefix}:entry:*")) == 1
    assert redis_client.get(place(prefix, made)) == newer(value)


DEEP = b"[" * 100_000


def test_an_envelope_with_a_right_checksum_and_odd_details_is_damage(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", content_type="", text=None, source_key="", text_digest="")
    for details in (b"5", b"[]", b"no JSON", b'{"tags":5}', b'{"tags":null}', b"\xff", DEEP):
        body = struct.pack(
            ">32sQQQQI", bytes.fromhex(made.key), 0, NOW, NOW + HOUR, NOW + HOUR, len(details)
        )
        value = sealed(body + details + b"sound")
        redis_client.set(place(prefix, made), value)
        assert redis_tier.get(made.key) is None
        assert not redis_client.exists(place(prefix, made))
    assert redis_tier.counts["corrupt"] == 7


def sealed(body: bytes) -> bytes:
    """An envelope whose checksum is right, whatever is in it."""
    start = codec.encode(entry("a"), 0)[:4]
    return start + struct.pack(">Q", xxh3_64_intdigest(body, seed=int.from_bytes(start))) + body


@pytest.mark.parametrize("only_missing", [False, True])
def test_a_key_of_another_type_is_replaced(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str, only_missing: bool
) -> None:
    made = entry("a")
    redis_client.rpush(place(prefix, made), "a list")
    assert redis_tier.has_many([made.key], NOW) == set()
    assert redis_tier.put_many([made], only_missing=only_missing) == {made.key}
    assert redis_tier.get(made.key) == made._replace(tier="distributed")


def test_a_key_of_another_type_is_a_counted_miss_and_deleted(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    bad, good = entry("bad"), entry("good")
    redis_tier.put_many([good])
    redis_client.rpush(place(prefix, bad), "a list")
    assert set(redis_tier.get_many([bad.key, entry("none").key, good.key])) == {good.key}
    assert redis_tier.counts["corrupt"] == 1
    assert redis_client.keys(f"{prefix}:entry:*") == [place(prefix, good).encode()]


def test_a_key_of_another_type_is_removed_and_does_not_count(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    redis_client.rpush(place(prefix, entry("a")), "a list")
    assert redis_tier.remove_many([entry("a").key]) == 0
    assert not redis_client.exists(place(prefix, entry("a")))


FOREIGN: dict[str, Callable[[redis.Redis, str], object]] = {
    "text": lambda client, name: client.set(name, "abc"),
    "below nothing": lambda client, name: client.set(name, "-1"),
    "zero": lambda client, name: client.set(name, "0"),
    "a fraction": lambda client, name: client.set(name, "1.5"),
    "too large": lambda client, name: client.set(name, "9" * 20),
    "no UTF-8": lambda client, name: client.set(name, b"\xff"),
    "empty": lambda client, name: client.set(name, b""),
    "a list": lambda client, name: client.rpush(name, "1"),
    "a hash": lambda client, name: client.hset(name, "a", "1"),
    "nothing": lambda client, name: client.delete(name),
}


LOST: dict[str, Callable[[redis.Redis, bytes], object]] = {
    "evicted": lambda client, name: client.delete(name),
    "another type": lambda client, name: [client.delete(name), client.set(name, "no set")],
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("first", ["get", "has", "put", "remove", "remove group"])
def test_a_foreign_generation_makes_all_void_and_is_replaced(
    new_tier: NewTier,
    redis_client: redis.Redis,
    prefix: str,
    foreign: Callable[[redis.Redis, str], object],
    first: str,
) -> None:
    new_tier("redis").put_many([entry("a"), entry("b")])
    redis_client.delete(f"{prefix}:generation")
    foreign(redis_client, f"{prefix}:generation")
    tier = new_tier("redis")
    VERBS[first](tier)
    assert tier.get(entry("b").key) is None
    tier.put_many([entry("b")])
    assert new_tier("redis").get(entry("b").key) is not None
    assert 0 < int(redis_client.get(f"{prefix}:generation")) < 2**62  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["text_digest", "source_key", "tags"])
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_law_10_what_is_removed_stays_so_although_the_index_of_its_group_was_lost(
    redis_tier: DistributedTier,
    redis_client: redis.Redis,
    prefix: str,
    lost: Callable[[redis.Redis, bytes], object],
    field: str,
) -> None:
    made = entry("a", parameters={"voice": "b"}, source_key="c" * 64, tags=("t",))
    other = entry("a", parameters={"voice": "d"}, source_key="c" * 64, tags=("t",))
    redis_tier.put_many([made])
    [group] = redis_client.scan_iter(f"{prefix}:group:{field}:*")
    lost(redis_client, group)
    redis_tier.put_many([other])  # which begins the index anew
    value = "t" if field == "tags" else getattr(made, field)
    redis_tier.remove_group(field, value)
    assert not redis_tier.has_many([made.key, other.key], NOW)
    assert redis_tier.get_many([made.key, other.key]) == {}


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_removal_of_a_group_without_its_index_is_no_trouble(
    redis_tier: DistributedTier,
    redis_client: redis.Redis,
    prefix: str,
    lost: Callable[[redis.Redis, bytes], object],
) -> None:
    made = entry("a", tags=("t",))
    redis_tier.put_many([made])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    lost(redis_client, group)
    assert redis_tier.remove_group("tags", "t") == 0
    assert not redis_client.exists(group)
    assert redis_tier.get(made.key) is None


def test_a_back_fill_replaces_an_entry_whose_group_has_lost_it(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", tags=("t",))
    redis_tier.put_many([made])
    redis_client.delete(*redis_client.scan_iter(f"{prefix}:group:*"))
    assert redis_tier.put_many([made], only_missing=True) == {made.key}
    assert redis_tier.get(made.key) is not None
    assert redis_tier.remove_group("tags", "t") == 1


def test_an_entry_whose_group_has_lost_it_leaves_when_it_is_seen(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    """And another one may then be filled in, that has other tags."""
    made = entry("a", tags=("t",))
    redis_tier.put_many([made])
    redis_client.delete(*redis_client.scan_iter(f"{prefix}:group:*"))
    assert redis_tier.get(made.key) is None
    assert not redis_client.exists(place(prefix, made))
    assert redis_tier.counts["evicted"] == 1


def test_foreign_members_of_a_group_name_no_keys_of_neighbours(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", tags=("t",))
    redis_tier.put_many([made])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    redis_client.zadd(group, {b"\xff": 1, b"neighbour": 2})
    redis_client.set(f"{prefix}:entry:neighbour", "another program's")
    assert redis_tier.remove_group("tags", "t") == 1
    assert redis_client.exists(f"{prefix}:entry:neighbour")
    assert not redis_client.exists(group)


def test_an_answer_that_is_an_error_of_redis_is_the_tiers_and_quotes_nothing(
    new_tier: NewTier, own_server: RedisServer
) -> None:
    tier = new_tier("redis", redis_url=own_server.url)
    with redis.Redis.from_url(own_server.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-zrange")
        try:
            with pytest.raises(TierError) as caught:
                tier.remove_group("tags", "private")
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+zrange")
    assert type(caught.value) is TierError
    assert "private" not in str(caught.value)


# Trouble


@pytest.fixture(scope="module")
def own_server() -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    with start_redis() as server:
        yield server


VERBS: dict[str, Callable[[DistributedTier], object]] = {
    "get": lambda tier: tier.get(entry("a").key),
    "has": lambda tier: tier.has_many([entry("a").key], NOW),
    "put": lambda tier: tier.put_many([entry("a", tags=("t",))]),
    "remove": lambda tier: tier.remove_many([entry("a").key]),
    "remove group": lambda tier: tier.remove_group("tags", "t"),
    "clear": lambda tier: tier.clear(),
    "stats": lambda tier: tier.stats(),
    "check": lambda tier: tier.check(),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_stopped_redis_is_unavailable_and_works_again(
    new_tier: NewTier, own_server: RedisServer, verb: Callable[[DistributedTier], object]
) -> None:
    tier = new_tier("redis", redis_url=own_server.url)
    tier.check()
    own_server.stop()
    try:
        with pytest.raises(TierUnavailable):
            verb(tier)
    finally:
        own_server.start()
    verb(tier)


def test_a_silent_redis_is_unavailable_after_a_quarter_of_a_second(
    new_tier: NewTier, own_server: RedisServer
) -> None:
    tier = new_tier("redis", redis_url=own_server.url)
    tier.check()
    own_server.pause()
    try:
        with pytest.raises(TierUnavailable, match="TimeoutError"):
            tier.get(entry("a").key)
    finally:
        own_server.resume()


def test_a_full_pool_is_busy_and_no_outage(new_tier: NewTier, own_server: RedisServer) -> None:
    """One place, held by a caller who waits for a silent server."""
    tier = new_tier("redis", redis_url=own_server.url, redis_max_connections=1)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with tier._redis.use():
            entered.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    with pytest.raises(TierBusy):
        tier.get(entry("a").key)
    leave.set()
    holder.join()
    tier.check()


def test_a_pool_that_others_use_too_is_busy_and_no_outage(
    new_tier: NewTier, own_server: RedisServer
) -> None:
    """Of a CACHES alias the pool is shared: the gate does not know who is inside."""
    tier = new_tier("redis", redis_url=own_server.url, redis_max_connections=1)
    pool = tier._redis._client.connection_pool
    taken = pool.get_connection()
    with pytest.raises(TierBusy):
        tier.check()
    pool.release(taken)
    tier.check()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (redis.MaxConnectionsError("full"), TierBusy),
        (redis.ConnectionError("gone"), TierUnavailable),
        (ConnectionResetError("reset"), TierUnavailable),
        (redis.exceptions.BusyLoadingError("LOADING"), TierUnavailable),
        (redis.ReadOnlyError("READONLY replica"), TierError),
        (redis.OutOfMemoryError("OOM command"), TierError),
        (redis.exceptions.InvalidResponse("?"), TierUnavailable),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_of_redis_is_one_of_the_tiers(
    redis_tier: DistributedTier, error: Exception, expected: type[TierError]
) -> None:
    with pytest.raises(TierError) as caught, redis_tier._redis.use():
        raise error
    assert type(caught.value) is expected


def test_what_is_no_error_of_redis_is_not_caught(redis_tier: DistributedTier) -> None:
    with pytest.raises(ZeroDivisionError), redis_tier._redis.use():
        raise ZeroDivisionError
    redis_tier.check()


# The connection


def options(client: Any) -> dict[str, Any]:
    pool = client.connection_pool
    more = {"pool": type(pool).__name__, "max": pool.max_connections, "wait": pool.timeout}
    return {**pool.connection_kwargs, **more}


def test_the_connection_waits_a_quarter_of_a_second_and_never_tries_twice() -> None:
    given = options(connect(CacheConfig(redis_url="redis://localhost:1/3")))
    assert given["socket_timeout"] == given["socket_connect_timeout"] == 0.25
    assert (given["pool"], given["max"], given["wait"]) == ("BlockingConnectionPool", 10, 0.25)
    assert given["retry"]._retries == 0
    assert given["socket_read_size"] >= 256 * 1024


def test_host_port_database_and_password_are_an_address() -> None:
    config = CacheConfig(redis_host="::1", redis_port=7000, redis_db=5, redis_password="p@ss/word")
    given = options(connect(config))
    assert (given["host"], given["port"], given["db"]) == ("::1", 7000, 5)
    assert given["password"] == "p@ss/word"
    named = options(connect(CacheConfig(redis_host="example.org")))
    assert (named["host"], named["port"], named["db"]) == ("example.org", 6379, 0)


def test_the_connection_of_a_caches_alias_is_used_with_keys_and_bytes_of_ours(
    new_tier: NewTier, settings: Settings, redis_client: redis.Redis, prefix: str
) -> None:
    url = settings.TEST_REDIS_URL
    alias = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "KEY_PREFIX": "theirs"}
    with override_settings(CACHES={**settings.CACHES, "site": alias}):
        tier = new_tier("redis", redis_url=None, redis_alias="site")
        made = entry("a")
        tier.put_many([made])
        assert tier.get(made.key) == made._replace(tier="distributed")
    assert redis_client.exists(place(prefix, made))


def test_an_alias_whose_connection_decodes_is_a_wrong_setting(settings: Settings) -> None:
    alias = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"{settings.TEST_REDIS_URL}&client_name=decodes",  # a pool by itself
        "OPTIONS": {"CONNECTION_POOL_KWARGS": {"decode_responses": True}},
    }
    with (
        override_settings(CACHES={**settings.CACHES, "site": alias}),
        pytest.raises(ImproperlyConfigured, match="CACHE_REDIS_ALIAS: 'site' decodes"),
    ):
        connect(CacheConfig(redis_alias="site"))


@pytest.mark.parametrize("alias", ["default", "nowhere"])
def test_an_alias_that_is_no_django_redis_cache_is_a_wrong_setting(alias: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"CACHE_REDIS_ALIAS: '{alias}' is not a"):
        connect(CacheConfig(redis_alias=alias))


WRONG_URLS = [
    "redis://user:s3cret#x@host",
    "redis://user:1234#s3cret@host",
    "redis://user:1234?s3cret@host",
    "redis://user:1234/s3cret@host",
    "redis://user:s3cret/x@host",
    "redis://:s3cret@[host",
    "redis://:s3cret@host:99999",
    "redis://:s3cret@host:0",
    "redis://:s3cret@host/one",
    "redis://:s3cret@host?db=-1",
    "redis://:s3cret@host?db=one",
    "redis://:s3cret@host?bogus_option=1",
    "redis://:s3cret@host?decode_responses=true",
    "redis://:s3cret@host?socket_timeout=soon",
    "redis://:s3cret@host?ssl_keyfile=only-of-rediss",
    "redis://:s3cret@host?protocol=9",
    "unix://:s3cret@",
    "http://:s3cret@host",
    "localhost:6379",
    "s3cret",
]


@pytest.mark.parametrize("url", WRONG_URLS)
def test_a_wrong_url_is_a_wrong_setting_that_is_not_repeated(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CACHE_REDIS_URL: ") as caught:
        connect(CacheConfig(redis_url=url))
    shown = "".join(traceback.format_exception(caught.value))
    told = f"{caught.value}{caught.value.__context__}"
    assert not any(part in shown.split("CACHE_REDIS_URL")[-1] for part in ("s3cret", "1234"))
    assert not any(part in told for part in ("s3cret", "1234", "bogus"))


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://",
        "redis://user:p%40ss%23word@[::1]:7000/5",
        "redis://localhost?db=3&client_name=site&socket_timeout=0.1&max_connections=3",
        "rediss://example.org:6380/0?ssl_cert_reqs=none",
        "unix://user:word@/var/run/redis.sock?db=2",
    ],
)
def test_a_right_url_makes_a_client(url: str) -> None:
    pool = connect(CacheConfig(redis_url=url)).connection_pool
    assert pool.connection_class(**pool.connection_kwargs)


@pytest.mark.parametrize("host", ["localhost:6379", "host/x", "a@b#c"])
def test_a_wrong_host_is_a_wrong_setting(host: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CACHE_REDIS_HOST: "):
        connect(CacheConfig(redis_host=host))


def test_a_missing_extra_is_one_sentence_with_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "django_redis", None)
    with pytest.raises(ImproperlyConfigured, match=r"pip install 'django-audiocache\[redis\]'"):
        connect(CacheConfig(redis_url="redis://localhost"))


def test_its_limits_come_from_the_configuration() -> None:
    tier = DistributedTier.from_config(
        CacheConfig(redis_url="redis://localhost:1", redis_max_entry_kb=0.5)
    )
    assert tier.unknown_stats()["max_entry_bytes"] == 512


def test_an_older_answer_that_comes_later_may_only_tell_of_more(
    redis_tier: DistributedTier,
) -> None:
    log = redis_tier.log

    def end(position: int) -> bytes:
        return str(Cursor("a" * 16, position, "b" * 16)).encode()

    older, newer = log.number(), log.number()
    log.saw(newer, end(7), b"3")
    log.saw(older, end(6), b"2")
    assert (log.end.position, log.reached_ledger, log.answered_ledger) == (7, 3, 2)
    log.saw(older, end(8), b"4")
    assert (log.end.position, log.reached_ledger) == (8, 4)
    log.saw(log.number(), end(5), b"1")  # an older Redis came back
    assert (log.end.position, log.reached_ledger, log.answered_ledger) == (5, 1, 1)


def test_an_answer_is_that_of_the_thread_that_got_it(redis_tier: DistributedTier) -> None:
    log = redis_tier.log
    log.saw(log.number(), b"", b"2")
    other = threading.Thread(target=lambda: log.saw(log.number(), b"", b"3"))
    other.start()
    other.join()
    assert (log.reached_ledger, log.answered_ledger) == (3, 2)
