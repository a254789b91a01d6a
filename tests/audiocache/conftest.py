"""Tiers and caches on real servers, on a clock that is moved by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from audiocache import database, own_file, signals
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import KIB, MIB, CacheConfig
from audiocache.lru import ByteLRU
from audiocache.pulse import pulse
from audiocache.tiers.base import Tier
from audiocache.tiers.distributed import DistributedTier
from audiocache.tiers.memory import MemoryTier
from audiocache.tiers.persistent import PersistentTier
from tests.factories import FakeClock

R = TypeVar("R")

ALIASES = {"sqlite": "audiocache", "postgresql": "audiocache_pg"}


def database_mark(*aliases: str) -> pytest.MarkDecorator:
    """The tables of these aliases, committed to and emptied after the test."""
    # Django makes the default's test database before all others.
    return pytest.mark.django_db(transaction=True, databases=["default", *aliases])


ON_SQLITE = database_mark("audiocache")
ON_POSTGRESQL = database_mark("audiocache_pg")
OF_ONE_SESSION = pytest.mark.skipif(
    bool(os.environ.get("TEST_POSTGRES_PROXY")), reason="it is about one session of the server"
)
DATABASES = [
    pytest.param("sqlite", marks=ON_SQLITE),
    pytest.param("postgresql", marks=ON_POSTGRESQL),
]


def server_url() -> str:
    """A database of this worker's own on the run's server."""
    url: str = getattr(settings, "TEST_REDIS_URL")  # noqa: B009 - not a setting of the site
    return url


class NewTier(Protocol):
    """Makes a tier; `max_bytes` is the largest entry it takes."""

    def __call__(self, kind: str, *, max_bytes: int = ..., **more: Any) -> Any: ...


class NewCache(Protocol):
    """Makes a cache of memory, a database and Redis."""

    def __call__(
        self, kind: str = ..., *, tiers: list[Tier] | None = ..., **config: Any
    ) -> MultiTierAudioCache: ...


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def prefix() -> str:
    """Begins the test's keys in Redis: tests share a server."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def redis_client() -> Iterator[redis.Redis]:
    """A look at the server that no code of ours had a hand in."""
    with redis.Redis.from_url(server_url()) as client:
        yield client


@pytest.fixture
def new_tier(clock: FakeClock, prefix: str) -> Iterator[NewTier]:
    """Makes tiers on the fake clock; their connections are closed after the test."""
    made: list[Tier] = []

    def make(kind: str, *, max_bytes: int = MIB, **more: Any) -> Tier:
        tier: Tier
        if kind == "memory":
            tier = MemoryTier(ByteLRU(more.get("max_entries", 1000), max_bytes, clock=clock), clock)
        elif kind == "redis":
            given = {"redis_url": server_url(), "redis_prefix": prefix, **more}
            config = CacheConfig(redis_max_entry_kb=max_bytes / KIB, **given)
            tier = DistributedTier.from_config(config, clock)
        else:
            tier = PersistentTier(ALIASES[kind], **{"max_bytes": max_bytes, "clock": clock, **more})
        made.append(tier)
        return tier

    yield make
    for tier in made:
        tier.close()


@pytest.fixture
def memory_tier(new_tier: NewTier) -> MemoryTier:
    tier: MemoryTier = new_tier("memory")
    return tier


@pytest.fixture
def redis_tier(new_tier: NewTier) -> DistributedTier:
    tier: DistributedTier = new_tier("redis")
    return tier


@pytest.fixture(params=DATABASES)
def sql_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def sql_tier(new_tier: NewTier, sql_kind: str) -> PersistentTier:
    tier: PersistentTier = new_tier(sql_kind)
    return tier


@pytest.fixture(params=["memory", *DATABASES, "redis"])
def tier_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def any_tier(new_tier: NewTier, tier_kind: str) -> Tier:
    tier: Tier = new_tier(tier_kind)
    return tier


@pytest.fixture
def new_cache(new_tier: NewTier, clock: FakeClock) -> Iterator[NewCache]:
    """Makes caches on the fake clock; they are closed, and the pulse is stopped, afterwards."""
    made: list[MultiTierAudioCache] = []

    def make(
        kind: str = "sqlite", *, tiers: list[Tier] | None = None, **config: Any
    ) -> MultiTierAudioCache:
        used = [new_tier("memory"), new_tier(kind), new_tier("redis")] if tiers is None else tiers
        cache = MultiTierAudioCache(CacheConfig(**config), tiers=used, clock=clock)
        made.append(cache)
        return cache

    yield make
    for cache in made:
        cache.close()
    pulse.stop()


@pytest.fixture
def cache(new_cache: NewCache, sql_kind: str) -> MultiTierAudioCache:
    """Memory, SQLite and Redis; then memory, PostgreSQL and Redis."""
    return new_cache(sql_kind)


@pytest.fixture
def told() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The signals sent during the test, in order."""
    heard: list[tuple[str, dict[str, Any]]] = []
    receivers = []
    for name in ("entry_stored", "entry_removed", "entry_evicted"):

        def hear(signal: object, sender: object, name: str = name, **what: Any) -> None:
            heard.append((name, what))

        receivers.append((getattr(signals, name), hear))
    for signal, receiver in receivers:
        signal.connect(receiver)
    yield heard
    for signal, receiver in receivers:
        signal.disconnect(receiver)


@pytest.fixture
def own_aliases() -> Iterator[None]:
    """Aliases that the test registers are forgotten afterwards."""
    before = set(connections.databases)
    own, ready = dict(database._own_files), set(own_file._ready)
    database.forget()
    yield
    for alias in set(connections.databases) - before:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
    for path in set(database._own_files) - set(own):
        del database._own_files[path]
    own_file._ready.intersection_update(ready)
    database.forget()


@pytest.fixture
def unblocked(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Databases may be asked, also under aliases that no test class knows of."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def no_threads() -> Iterator[Callable[[], object]]:
    """No thread can be started in this process until it is called: none has room for its stack."""
    threading.stack_size(1 << 46)
    yield lambda: threading.stack_size(0)
    threading.stack_size(0)


@pytest.fixture
def in_threads() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Runs `call(number)` in so many threads that start together; their results in order."""

    def run(number: int, call: Callable[[int], R]) -> list[R]:
        gate = threading.Barrier(number)

        def work(place: int) -> R:
            gate.wait(timeout=20)
            try:
                return call(place)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(work, range(number)))

    return run
