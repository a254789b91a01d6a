"""System checks: every setting that is wrong or unwise, by name. They connect to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, connections

from audiocache import database
from audiocache.backends import MemoryCache
from audiocache.clip_checks import clips
from audiocache.conf import DISTRIBUTED, PERSISTENT, CacheConfig
from audiocache.folder_checks import folder
from audiocache.metrics.access import access_of
from audiocache.tiers.redis_address import address_of
from audiocache.tiers.redis_connection import MISSING_EXTRA, is_django_redis
from audiocache.tiers.sql import dialect_for


@checks.register()
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """E001 per wrong setting; the others look at what is right."""
    config, wrong = CacheConfig.judged()
    errors = [checks.Error(problem, id="audiocache.E001") for problem in wrong.problems]
    return [*errors, *wrong.certain(_meant(config))]


def _meant(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    yield from _database(config)
    yield from _redis(config)
    yield from _memory(config)
    yield from _limits(config)
    yield from _metrics(config)
    yield from clips(config)


def _database(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    if PERSISTENT not in config.tier_names:
        return
    try:
        alias = database.alias_of(config)
    except ImproperlyConfigured as error:
        yield checks.Error(str(error), id="audiocache.E002")
        return
    yield from folder(config, alias)
    vendor = connections[alias].vendor
    try:
        dialect_for(vendor)
    except NotSupportedError as error:
        yield checks.Error(
            str(error),
            hint="Set CACHE_PERSISTENT_PATH: a folder for the cache's own SQLite file.",
            id="audiocache.E003",
        )
    if alias == "default":
        yield checks.Warning(
            "CACHE_PERSISTENT_DATABASE is the site's own connection: a rollback loses clips.",
            hint="Leave it out: the cache then opens a connection of its own.",
            id="audiocache.W001",
        )
    elif connections.databases[alias].get("ATOMIC_REQUESTS"):
        yield checks.Warning(
            f"DATABASES[{alias!r}] has ATOMIC_REQUESTS: a view that fails loses its clips.",
            hint="Leave CACHE_PERSISTENT_DATABASE out, or ATOMIC_REQUESTS of this alias.",
            id="audiocache.W008",
        )


def _redis(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    if config.backend == "redis" and not config.has_redis:
        yield checks.Warning(
            "CACHE_BACKEND is redis, but no Redis is configured: only memory is used.",
            hint="Set CACHE_REDIS_URL, CACHE_REDIS_HOST or CACHE_REDIS_ALIAS.",
            id="audiocache.W002",
        )
    if DISTRIBUTED not in config.tier_names:
        return
    if find_spec("django_redis") is None:
        yield checks.Error(MISSING_EXTRA, id="audiocache.E004")
    elif config.redis_alias:
        yield from _redis_alias(config.redis_alias)
    else:
        yield from _redis_address(config)


def _redis_address(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    try:
        address_of(config)
    except ImproperlyConfigured as error:
        yield checks.Error(str(error), id="audiocache.E006")


def _redis_alias(alias: str) -> Iterator[checks.CheckMessage]:
    options = settings.CACHES.get(alias, {}).get("OPTIONS", {})
    if alias not in settings.CACHES:
        yield checks.Error(f"CACHE_REDIS_ALIAS: {alias!r} is not in CACHES", id="audiocache.E005")
    elif not is_django_redis(alias):
        yield checks.Error(
            f"CACHE_REDIS_ALIAS: CACHES[{alias!r}] is not a cache of django-redis",
            hint="Its BACKEND must be django_redis.cache.RedisCache; or set CACHE_REDIS_URL.",
            id="audiocache.E007",
        )
    elif not options.get("SOCKET_TIMEOUT"):
        yield checks.Warning(
            f"CACHES[{alias!r}] has no SOCKET_TIMEOUT: a silent Redis holds callers for seconds.",
            hint="Set OPTIONS SOCKET_TIMEOUT and SOCKET_CONNECT_TIMEOUT to 0.25.",
            id="audiocache.W003",
        )


def _metrics(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    try:
        access_of(config)
    except (ImportError, TypeError) as error:
        yield checks.Error(f"CACHE_METRICS_ACCESS: {error}", id="audiocache.E022")


def _memory(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    if not (config.memory_max_size and config.memory_max_mb):
        yield checks.Warning(
            "CACHE_MEMORY_MAX_SIZE or CACHE_MEMORY_MAX_MB is 0: nothing is kept in memory.",
            id="audiocache.W004",
        )
    backend = settings.CACHES.get(config.memory_alias, {}).get("BACKEND")
    if backend and backend != f"{MemoryCache.__module__}.{MemoryCache.__qualname__}":
        yield checks.Warning(
            f"CACHES[{config.memory_alias!r}] is no audiocache.backends.MemoryCache: not used.",
            id="audiocache.W005",
        )


def _limits(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    persistent = PERSISTENT in config.tier_names
    if persistent and not (config.persistent_max_size or config.persistent_max_mb):
        yield checks.Warning(
            "CACHE_PERSISTENT_MAX_SIZE and CACHE_PERSISTENT_MAX_MB are 0: the table has no limit.",
            id="audiocache.W006",
        )
    if persistent and 0 < config.persistent_max_mb < config.memory_max_mb:
        yield checks.Warning(
            "CACHE_PERSISTENT_MAX_MB is below CACHE_MEMORY_MAX_MB: the database is to hold more.",
            id="audiocache.W007",
        )
