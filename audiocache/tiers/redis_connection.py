"""The connection to Redis: bounded waits, no retries, a pool of our own, errors as TierError."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core.cache import InvalidCacheBackendError, caches
from django.core.exceptions import ImproperlyConfigured

from audiocache.conf import CacheConfig
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.gate import Gate
from audiocache.tiers.redis_address import address_of
from audiocache.tiers.redis_socket import bounded

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_SECONDS: Final = 0.25
"""To connect, to read, and to wait for a free connection of the pool."""
READ_BYTES: Final = 256 * 1024

MISSING_EXTRA: Final = (
    "the distributed tier needs django-redis: pip install 'django-audiocache[redis]'"
)


class RedisConnection:
    """A client behind a fair gate: no more callers at once than the pool has connections."""

    def __init__(self, client: Any, max_connections: int = 10) -> None:
        self._client = client
        self._gate = Gate(max_connections)

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The client; Redis' and the operating system's errors come out as TierError."""
        if not self._gate.enter(TIMEOUT_SECONDS):
            raise TierBusy(_BUSY)
        try:
            with _trouble():
                yield self._client
        finally:
            self._gate.leave()

    def close(self) -> None:
        """Close idle connections; the next use opens new ones."""
        self._client.connection_pool.disconnect(inuse_connections=False)


_BUSY: Final = "all connections of the pool are in use"


@contextmanager
def _trouble() -> Iterator[None]:
    from redis import exceptions as redis

    try:
        yield
    except redis.MaxConnectionsError as error:
        raise TierBusy(_BUSY) from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        if isinstance(error.__context__, queue.Empty):  # a blocking pool says it this way
            raise TierBusy(_BUSY) from error
        raise TierUnavailable(type(error).__name__) from error
    except redis.ResponseError as error:
        # The first word is Redis' kind of error; what follows may quote a value. Where redis-py
        # has a class for the kind, it leaves the word out.
        by_class = type(error) is not redis.ResponseError
        kind = type(error).__name__ if by_class else str(error).partition(" ")[0]
        raise TierError(kind) from error
    except redis.RedisError as error:
        raise TierUnavailable(type(error).__name__) from error


def connect(config: CacheConfig) -> Any:
    """A client; nothing is sent yet.

    Raises ImproperlyConfigured for a wrong address or alias, or when django-redis is missing.
    """
    try:
        import django_redis
    except ImportError:
        raise ImproperlyConfigured(MISSING_EXTRA) from None
    if config.redis_alias:
        return _of_alias(django_redis, config.redis_alias)
    client = _own_factory(config).connect(address_of(config))
    pool = client.connection_pool
    pool.connection_class = bounded(pool.connection_class)
    return client


def _of_alias(django_redis: Any, alias: str) -> Redis:
    if not is_django_redis(alias):
        raise ImproperlyConfigured(
            f"CACHE_REDIS_ALIAS: {alias!r} is not a django-redis cache in CACHES"
        )
    client: Redis = django_redis.get_redis_connection(alias)
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise ImproperlyConfigured(
            f"CACHE_REDIS_ALIAS: {alias!r} decodes responses, and sound is no text"
        )
    return client


def is_django_redis(alias: str) -> bool:
    """Does an alias of CACHES lend its connection? Connects to nothing."""
    try:
        return hasattr(getattr(caches[alias], "client", None), "get_client")
    except (InvalidCacheBackendError, ImproperlyConfigured):
        return False


def _own_factory(config: CacheConfig) -> Any:
    from django_redis.pool import ConnectionFactory
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    class OwnConnectionFactory(ConnectionFactory):  # type: ignore[misc]
        # django-redis shares pools by URL: a site's own alias would lend us its time-outs.
        _pools: ClassVar[dict[str, Any]] = {}

    return OwnConnectionFactory(
        {
            "PASSWORD": config.redis_password,
            "SOCKET_TIMEOUT": TIMEOUT_SECONDS,
            "SOCKET_CONNECT_TIMEOUT": TIMEOUT_SECONDS,
            "CONNECTION_POOL_CLASS": "redis.connection.BlockingConnectionPool",
            "CONNECTION_POOL_KWARGS": {
                "max_connections": config.redis_max_connections,
                "timeout": TIMEOUT_SECONDS,
                "retry": Retry(NoBackoff(), 0),
                "socket_read_size": READ_BYTES,
            },
        }
    )
