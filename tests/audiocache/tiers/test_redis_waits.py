"""How long Redis may hold a caller: one deadline for a whole use, whatever the line does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import override_settings
from django_redis import get_redis_connection
from pytest_django import Settings

from audiocache.conf import CacheConfig
from audiocache.exceptions import TierError, TierUnavailable
from audiocache.tiers.redis_connection import (
    LONGEST_SECONDS,
    TIMEOUT_SECONDS,
    USE_SECONDS,
    RedisConnection,
    connect,
)
from audiocache.tiers.redis_socket import BoundedSocket, deadline
from project.servers import RedisServer, start_redis
from tests.audiocache.conftest import NewTier
from tests.factories import entry
from tests.proxies.faults import FaultProxy

SLACK = 0.15
"""Seconds that a loaded machine may add."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with start_redis() as made:
        yield made


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port, pause=0.02) as between:
        yield between


def seconds_of(call: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises(TierUnavailable):
        call()
    return time.monotonic() - started


@pytest.mark.parametrize("connected", [True, False], ids=["an answer", "a handshake"])
def test_a_drip_is_left_at_the_deadline(
    new_tier: NewTier, server: RedisServer, proxy: FaultProxy, connected: bool
) -> None:
    """Each read by itself would be in time, for seconds; so would each answer of a handshake."""
    made = entry("a")
    new_tier("redis", redis_url=server.url).put_many([made])
    tier = new_tier("redis", redis_url=proxy.url)
    if connected:
        tier.check()
    proxy.become("drip")
    assert seconds_of(lambda: tier.get(made.key)) < USE_SECONDS + SLACK
    proxy.become("")
    assert tier.get(made.key) is not None


def test_those_who_wait_for_a_place_while_redis_fails_do_not_wait_for_it_too(
    new_tier: NewTier, proxy: FaultProxy
) -> None:
    tier = new_tier("redis", redis_url=proxy.url, redis_max_connections=1)
    tier.check()
    proxy.become("silence")
    took: list[float] = []

    def ask() -> None:
        started = time.monotonic()
        with pytest.raises(TierError):
            tier.get(entry("a").key)
        took.append(time.monotonic() - started)

    first = threading.Thread(target=ask)
    first.start()
    time.sleep(0.15)  # it is inside by now, and the others come before it fails
    others = [threading.Thread(target=ask) for _ in range(8)]
    for thread in others:
        thread.start()
    for thread in [first, *others]:
        thread.join(10)
    assert len(took) == 9
    assert max(took) < USE_SECONDS + SLACK


@pytest.fixture
def ends() -> Iterator[tuple[BoundedSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.settimeout(0.1)
    with near, far:
        yield BoundedSocket(near), far


@contextmanager
def within(seconds: float) -> Iterator[None]:
    deadline.begin(seconds)
    try:
        yield
    finally:
        deadline.end()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    instant = [100.0]
    monkeypatch.setattr("audiocache.tiers.redis_socket.time.monotonic", lambda: instant[0])
    return instant


def test_bytes_that_come_and_go_lengthen_the_deadline(
    ends: tuple[BoundedSocket, socket.socket], now: list[float]
) -> None:
    near, far = ends
    far.sendall(bytes(100_000))
    with within(0.1):
        near.sendall(bytes(40_000))
        assert len(near.recv(60_000)) == 60_000
        now[0] += 0.12
        assert near.recv_into(bytearray(40_000)) == 40_000
        now[0] += 0.12
        far.sendall(b"x")
        with pytest.raises(TimeoutError, match="not whole"):
            near.recv(1)


def test_a_read_is_shortened_to_what_is_left_and_lengthened_again(
    ends: tuple[BoundedSocket, socket.socket], now: list[float]
) -> None:
    near, far = ends
    far.sendall(b"abc")
    with within(0.125):
        near.recv(1)
        now[0] += 0.0625
        near.recv(1)
        assert 0 < near.gettimeout() < 0.07
    near.recv(1)
    assert near.gettimeout() == 0.1
    near.settimeout(0)
    with pytest.raises(BlockingIOError):
        near.recv(1)


def test_an_answer_that_came_while_the_thread_did_not_run_is_taken(
    ends: tuple[BoundedSocket, socket.socket], now: list[float]
) -> None:
    near, far = ends
    with within(0.1):
        near.sendall(b"GET")
        far.sendall(b"answer")
        now[0] += 5
        assert near.recv(100) == b"answer"
        with pytest.raises(TimeoutError):
            near.sendall(b"GET")


# Of a site's own cache


def site_cache(settings: Settings, **options: Any) -> dict[str, Any]:
    server = settings.TEST_REDIS_URL.partition("?")[0]
    alias = {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": [f"{server}?client_name=site", "redis://replica:1"],
        "OPTIONS": options,
    }
    return {**settings.CACHES, "site": alias}


def waits_of(pool: Any) -> tuple[float, float, int]:
    given = pool.connection_kwargs
    retries = given["retry"]._retries
    return given["socket_timeout"], given["socket_connect_timeout"], retries


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (TIMEOUT_SECONDS, TIMEOUT_SECONDS, 0)),
        ({"SOCKET_TIMEOUT": 5, "SOCKET_CONNECT_TIMEOUT": 5}, (TIMEOUT_SECONDS,) * 2 + (0,)),
        ({"SOCKET_TIMEOUT": 0.1}, (0.1, TIMEOUT_SECONDS, 0)),
    ],
    ids=["none", "longer ones", "a shorter one"],
)
def test_a_sites_cache_lends_its_server_and_not_its_waits(
    settings: Settings, given: dict[str, Any], expected: tuple[float, float, int]
) -> None:
    with override_settings(CACHES=site_cache(settings, **given)):
        pool = connect(CacheConfig(redis_alias="site", redis_max_connections=3)).connection_pool
        theirs = get_redis_connection("site").connection_pool
    assert pool is not theirs
    assert waits_of(pool) == expected
    assert (pool.max_connections, theirs.max_connections) == (3, 100)
    assert pool.connection_kwargs["client_name"] == "site"


@pytest.mark.parametrize(("asked", "given"), [("1.5", 1.5), ("60", LONGEST_SECONDS), ("0.1", 0.1)])
def test_an_address_far_away_may_ask_for_longer_waits(asked: str, given: float) -> None:
    config = CacheConfig(redis_url=f"redis://127.0.0.1:1/0?socket_timeout={asked}")
    assert waits_of(connect(config).connection_pool) == (given, TIMEOUT_SECONDS, 0)


@pytest.mark.parametrize(("query", "least"), [("", 0.25), ("?socket_timeout=0.8", 0.8)])
def test_a_silent_server_holds_a_caller_as_long_as_its_address_says(
    query: str, least: float
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0{query}"
        connection = RedisConnection(connect(CacheConfig(redis_url=url)))
        began = time.monotonic()
        with pytest.raises(TierUnavailable), connection.use() as client:
            client.get("key")
    assert least <= time.monotonic() - began < least + 1


def test_sentinels_hold_a_caller_no_longer_than_redis(settings: Settings) -> None:
    options = {
        "CLIENT_CLASS": "django_redis.client.SentinelClient",
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": [("127.0.0.1", 1)],
        "SENTINEL_KWARGS": {"socket_timeout": 3},
    }
    caches = site_cache(settings, **options)
    caches["site"]["LOCATION"] = "redis://clips/2"
    with override_settings(CACHES=caches):
        pool = connect(CacheConfig(redis_alias="site")).connection_pool
    assert pool.service_name == "clips"
    [sentinel] = pool.sentinel_manager.sentinels
    for one in (pool, sentinel.connection_pool):
        assert waits_of(one) == (TIMEOUT_SECONDS, TIMEOUT_SECONDS, 0)
