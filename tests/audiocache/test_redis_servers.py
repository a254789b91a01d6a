"""A Redis that refuses, forgets or changes its place, under load; and Sentinel's fail-over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis
from django.test import override_settings
from pytest_django import Settings

from audiocache import MultiTierAudioCache
from audiocache.exceptions import TierError
from project.servers import HOST, RedisServer, start_redis
from tests.audiocache.conftest import ON_SQLITE, NewCache, NewTier
from tests.factories import entry
from tests.load import LENGTHS, Load
from tests.proxies.faults import FaultProxy
from tests.sentinel import SERVICE, Watched, watched

Caches = Callable[[], MultiTierAudioCache]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """With a dump of old entries, which are there again after a restart."""
    with start_redis("--enable-debug-command", "yes", "--shutdown-timeout", "0") as made:
        yield made


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        yield client


def three(new_cache: NewCache, new_tier: NewTier, **address: Any) -> MultiTierAudioCache:
    """Memory for a few, Redis and then the database."""
    few = new_tier("memory", max_entries=10)
    return new_cache(tiers=[few, new_tier("redis", **address), new_tier("sqlite")])


@contextmanager
def read_only(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    client.replicaof(HOST, "1")
    yield
    client.replicaof("NO", "ONE")


@contextmanager
def full(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    client.config_set("maxmemory", "100kb")
    yield
    client.config_set("maxmemory", "0")


@contextmanager
def loading(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    """It reads its own dump again, a millisecond a key, and says so to those who ask."""
    client.config_set("key-load-delay", "1000")
    client.config_set("loading-process-events-interval-bytes", "1024")
    client.eval("for i = 1, 400 do redis.call('SET', 'x' .. i, i) end", 0)
    reload = threading.Thread(target=reload_dump, args=(client,))
    reload.start()
    yield
    reload.join(20)


def reload_dump(client: redis.Redis) -> None:
    client.execute_command("DEBUG", "RELOAD")  # type: ignore[no-untyped-call]


@contextmanager
def restarted_empty(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def restarted_with_old_data(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    client.save()
    time.sleep(0.1)
    server.kill()
    yield
    server.start()
    assert client.dbsize()


@contextmanager
def of_another_type(server: RedisServer, client: redis.Redis) -> Iterator[None]:
    """All that lies there becomes a list, again and again."""
    stop = threading.Event()

    def turn() -> None:
        while not stop.wait(0.01):
            for name in client.scan_iter("test-*", count=200):
                client.delete(name)
                with suppress(redis.ResponseError):  # it is there again
                    client.rpush(name, "not yours")

    turning = threading.Thread(target=turn)
    turning.start()
    yield
    stop.set()
    turning.join(10)


TROUBLE = [
    read_only,
    restarted_empty,
    *(
        pytest.param(trouble, marks=pytest.mark.chaos)
        for trouble in (full, loading, restarted_with_old_data, of_another_type)
    ),
]


@pytest.mark.untraced
@ON_SQLITE
@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("trouble", TROUBLE, ids=lambda trouble: trouble.__name__)
def test_a_server_in_trouble_costs_no_error_and_no_wrong_sound(
    new_cache: NewCache,
    new_tier: NewTier,
    server: RedisServer,
    client: redis.Redis,
    trouble: Any,
    seconds: float,
) -> None:
    here, there = (three(new_cache, new_tier, redis_url=server.url) for _ in range(2))
    with Load(here, seconds) as load:
        time.sleep(load.seconds / 3)
        with trouble(server, client):
            time.sleep(load.fault)
    assert (load.errors, load.wrong) == ([], [])
    told = here.get_comprehensive_stats()
    counted = (
        told["backends"]["distributed"]["corrupt"]
        if trouble is of_another_type
        else (told["performance"]["errors"]["distributed"])
    )
    assert counted > 0
    assert_agree(here, there)


def assert_agree(here: MultiTierAudioCache, there: MultiTierAudioCache) -> None:
    """Without a restart, what one put into Redis is the other's, and what it removed is gone."""
    until = time.monotonic() + 10
    while True:
        here.put("after all", b"after all|")
        there.get("absent")
        with suppress(TierError):
            if there.tiers["distributed"].get(there.clip("after all").key):
                break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert here.get("after all") == there.get("after all") == b"after all|"
    assert here.remove("after all")
    assert there.tiers["distributed"].get(there.clip("after all").key) is None


def test_a_connection_to_a_demoted_primary_is_dropped_and_the_name_asked_again(
    new_tier: NewTier, server: RedisServer, client: redis.Redis
) -> None:
    """As behind a name or an address that moves: the proxy's new links lead to another server."""
    with start_redis("--shutdown-timeout", "0") as successor, FaultProxy(server.port) as name:
        tier = new_tier("redis", redis_url=name.url)
        tier.put_many([entry("a")])
        client.replicaof(HOST, str(successor.port))
        name.target = successor.port
        with pytest.raises(TierError, match="ReadOnlyError"):
            tier.put_many([entry("b")])
        assert tier.put_many([entry("b")]) == {entry("b").key}
        with redis.Redis.from_url(successor.url) as other:
            assert other.exists(f"{tier._names.entry(entry('b').key)}")


# Sentinel


@pytest.fixture
def sentinel() -> Iterator[Watched]:
    with watched() as standing:
        yield standing


@pytest.fixture
def of_sentinel(sentinel: Watched, settings: Settings) -> Iterator[None]:
    """A site whose cache finds its Redis through Sentinel, at django-redis' defaults."""
    alias = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://{SERVICE}/0",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.SentinelClient",
            "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
            "SENTINELS": [(HOST, sentinel.sentinel.port)],
        },
    }
    with override_settings(CACHES={**settings.CACHES, "site": alias}):
        yield


@pytest.mark.untraced
@ON_SQLITE
@pytest.mark.usefixtures("of_sentinel")
@pytest.mark.parametrize("how", ["demoted", pytest.param("killed", marks=pytest.mark.chaos)])
def test_a_fail_over_by_sentinel_costs_no_error_and_no_wrong_sound(
    new_cache: NewCache, new_tier: NewTier, sentinel: Watched, how: str
) -> None:
    here, there = (three(new_cache, new_tier, redis_url=None, redis_alias="site") for _ in range(2))
    before = sentinel.primary()
    with Load(here, seconds=2.2) as load:
        time.sleep(0.3)
        if how == "killed":
            before.kill()
        else:
            sentinel.fail_over()
    assert (load.errors, load.wrong) == ([], [])
    assert sentinel.primary() is not before
    assert_agree(here, there)
