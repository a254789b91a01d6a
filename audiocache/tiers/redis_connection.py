"""The connection to Redis: bounded waits, no retries, a pool of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import ImproperlyConfigured

from audiocache.conf import CacheConfig

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_SECONDS: Final = 0.25
"""To connect, to read, and to wait for a free connection of the pool."""
READ_BYTES: Final = 256 * 1024

MISSING_EXTRA: Final = (
    "the distributed tier needs django-redis: pip install 'django-audiocache[redis]'"
)


def connect(config: CacheConfig) -> Any:
    """A client; nothing is sent yet. Raises ImproperlyConfigured when django-redis is missing."""
    try:
        import django_redis
    except ImportError:
        raise ImproperlyConfigured(MISSING_EXTRA) from None
    if config.redis_alias:
        return _of_alias(django_redis, config.redis_alias)
    return _own_factory(config).connect(_url(config))


def _of_alias(django_redis: Any, alias: str) -> Redis:
    try:
        client: Redis = django_redis.get_redis_connection(alias)
    except (InvalidCacheBackendError, NotImplementedError) as error:
        raise ImproperlyConfigured(
            f"CACHE_REDIS_ALIAS: {alias!r} is not a django-redis cache in CACHES"
        ) from error
    return client


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


def _url(config: CacheConfig) -> str:
    if config.redis_url:
        return config.redis_url
    host = config.redis_host or ""
    host = f"[{host}]" if ":" in host else host
    return f"redis://{host}:{config.redis_port}/{config.redis_db}"
