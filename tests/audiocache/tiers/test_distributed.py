"""What is special about Redis: its bytes, its expiry, generations, damage and trouble."""

from __future__ import annotations

import pickle
import struct
import sys
import threading
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
from audiocache.tiers import distributed
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


def test_a_clip_begun_before_a_clear_elsewhere_does_not_come_back_by_its_put(
    redis_tier: DistributedTier, new_tier: NewTier
) -> None:
    other = new_tier("redis")
    made = entry("a")
    assert other.get(made.key) is None
    redis_tier.clear()
    other.put_many([made])
    assert redis_tier.get(made.key) is None


def test_what_is_known_of_the_generation_is_good_for_a_moment(
    redis_tier: DistributedTier, new_tier: NewTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "GENERATION_SECONDS", -1.0)
    other = new_tier("redis")
    made = entry("a")
    assert other.get(made.key) is None
    redis_tier.clear()
    other.put_many([made])
    assert redis_tier.get(made.key) is not None


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
    assert (redis_tier.counts["newer_schema"], redis_tier.counts["corrupt"]) == (1, 0)
    assert redis_client.get(place(prefix, made)) == newer(value)


def test_an_envelope_with_a_right_checksum_and_odd_details_is_damage(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a", content_type="", text=None, source_key="", text_digest="")
    for details in (b"5", b"[]", b"no JSON", b'{"tags":5}', b'{"tags":null}', b"\xff"):
        body = struct.pack(
            ">32sQQQQI", bytes.fromhex(made.key), 0, NOW, NOW + HOUR, NOW + HOUR, len(details)
        )
        value = sealed(body + details + b"sound")
        redis_client.set(place(prefix, made), value)
        assert redis_tier.get(made.key) is None
        assert not redis_client.exists(place(prefix, made))
    assert redis_tier.counts["corrupt"] == 6


def sealed(body: bytes) -> bytes:
    """An envelope whose checksum is right, whatever is in it."""
    start = codec.encode(entry("a"), 0)[:4]
    return start + struct.pack(">Q", xxh3_64_intdigest(body, seed=int.from_bytes(start))) + body


def test_a_key_of_another_type_is_a_miss_and_is_replaced(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    made = entry("a")
    redis_client.rpush(place(prefix, made), "a list")
    assert redis_tier.get(made.key) is None
    assert redis_tier.has_many([made.key], NOW) == set()
    assert redis_tier.put_many([made]) == {made.key}
    assert redis_tier.get(made.key) == made._replace(tier="distributed")


def test_an_answer_that_is_an_error_of_redis_is_the_tiers_and_quotes_nothing(
    redis_tier: DistributedTier, redis_client: redis.Redis, prefix: str
) -> None:
    redis_tier.put_many([entry("a", tags=("t",))])
    [group] = redis_client.scan_iter(f"{prefix}:group:*")
    redis_client.set(group, "no set")
    with pytest.raises(TierError) as caught:
        redis_tier.remove_group("tags", "t")
    assert type(caught.value) is TierError
    assert str(caught.value) == "WRONGTYPE"


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


@pytest.mark.parametrize("alias", ["default", "nowhere"])
def test_an_alias_that_is_no_django_redis_cache_is_a_wrong_setting(alias: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"CACHE_REDIS_ALIAS: '{alias}' is not a"):
        connect(CacheConfig(redis_alias=alias))


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
