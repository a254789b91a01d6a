"""The connection to Redis: bounded waits, no retries, a pool of our own, errors as TierError."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.cache import InvalidCacheBackendError, caches
from django.core.exceptions import ImproperlyConfigured

from audiocache.conf import CacheConfig
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.gate import Gate
from audiocache.tiers.redis_address import address_of, driver
from audiocache.tiers.redis_keeping import keeping
from audiocache.tiers.redis_socket import bounded, deadline
from audiocache.tiers.redis_trouble import BUSY, DEMOTED, caught, trouble_of

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_SECONDS: Final = 0.25
"""To connect, to read, and to wait for a free connection of the pool."""
USE_SECONDS: Final = 0.3
"""For all that one use sends and reads, the handshake of a new connection included."""
LONGEST_SECONDS: Final = 5.0
"""Of what an address asks for by `?socket_timeout=`, such as one on another continent."""
READ_BYTES: Final = 256 * 1024

MISSING_EXTRA: Final = (
    "the distributed tier needs django-redis: pip install 'django-audiocache[redis]'"
)


class RedisConnection:
    """A client behind a fair gate: no more callers at once than the pool has connections."""

    def __init__(self, client: Any, max_connections: int = 10) -> None:
        client.connection_pool = keeping(client.connection_pool)
        self._client = client
        self._gate = Gate(max_connections)
        self._timeout = _timeout_of(client)
        self._failed_at = 0.0

    @contextmanager
    def use(self) -> Iterator[Any]:
        """The client; Redis' and the operating system's errors come out as TierError."""
        came = time.monotonic()
        if not self._gate.enter(self._timeout):
            raise TierBusy(BUSY)
        try:
            if self._failed_at > came:  # what others met inside, those who waited need not meet
                raise TierUnavailable("it failed meanwhile")
            deadline.begin(self._timeout * USE_SECONDS / TIMEOUT_SECONDS)
            yield self._client
        except caught() as error:
            raise self._noted(trouble_of(error)) from error
        finally:
            deadline.end()
            self._gate.leave()

    def _noted(self, trouble: TierError) -> TierError:
        if isinstance(trouble, TierUnavailable):
            self._failed_at = time.monotonic()
        elif str(trouble) == DEMOTED:  # the name leads elsewhere now: connect anew
            self._client.connection_pool.connection_class.era += 1
        return trouble

    def close(self) -> None:
        """Close idle connections; the next use opens new ones."""
        self._client.connection_pool.disconnect(inuse_connections=False)


def _timeout_of(client: Any) -> float:
    """Seconds: ours, or the longer time that its address asks for."""
    given: float = client.connection_pool.connection_kwargs["socket_timeout"]
    return max(given, TIMEOUT_SECONDS)


def connect(config: CacheConfig) -> Any:
    """A client; nothing is sent yet.

    Raises ImproperlyConfigured for a wrong address or alias, or when django-redis is missing.
    """
    try:
        import django_redis.pool  # noqa: F401 - is it there?
    except ImportError:
        raise ImproperlyConfigured(MISSING_EXTRA) from None
    if config.redis_alias:
        return _of_alias(config.redis_alias, config.redis_max_connections)
    options = {
        "CONNECTION_FACTORY": "django_redis.pool.ConnectionFactory",
        "CONNECTION_POOL_CLASS": "redis.connection.BlockingConnectionPool",
        "CONNECTION_POOL_KWARGS": {"timeout": TIMEOUT_SECONDS},
        "PASSWORD": config.redis_password,
    }
    return _client(address_of(config), options, config.redis_max_connections, LONGEST_SECONDS)


def _of_alias(alias: str, max_connections: int) -> Redis:
    """The server of a site's own cache, with its credentials, and time-outs and a pool of ours."""
    if not is_django_redis(alias):
        raise ImproperlyConfigured(
            f"CACHE_REDIS_ALIAS: {alias!r} is not a django-redis cache in CACHES"
        )
    site = settings.CACHES[alias]
    location = site["LOCATION"]
    # Of several, the first is the one that takes writes.
    url = location.split(",")[0] if isinstance(location, str) else location[0]
    client = _client(url, site.get("OPTIONS", {}), max_connections, TIMEOUT_SECONDS)
    if client.connection_pool.connection_kwargs.get("decode_responses"):
        raise ImproperlyConfigured(
            f"CACHE_REDIS_ALIAS: {alias!r} decodes responses, and sound is no text"
        )
    return client


def _client(url: str, options: dict[str, Any], max_connections: int, longest: float) -> Redis:
    """As django-redis makes it, with no time-out above `longest` seconds.

    Its own pools are shared by URL: a site's would lend its time-outs.
    """
    from django_redis.pool import get_connection_factory

    given = options.get("CONNECTION_POOL_KWARGS", {})
    pool_options = {**given, "max_connections": max_connections, "socket_read_size": READ_BYTES}
    factory = get_connection_factory(options={**options, "CONNECTION_POOL_KWARGS": pool_options})
    pool = factory.get_connection_pool(factory.make_connection_params(url))
    _bound(pool, longest)
    sentinel = getattr(pool, "sentinel_manager", None)
    for each in sentinel.sentinels if sentinel else ():
        _bound(each.connection_pool, longest)
    client: Redis = factory.redis_client_cls(
        connection_pool=pool, **factory.redis_client_cls_kwargs
    )
    return client


def _bound(pool: Any, longest: float) -> None:
    """No wait of the pool's connections is longer than `longest` seconds, and none tries twice."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    given = pool.connection_kwargs
    for name in ("socket_timeout", "socket_connect_timeout"):
        given[name] = min(given.get(name) or TIMEOUT_SECONDS, longest)
    given["retry"] = Retry(NoBackoff(), 0)
    if not given.keys() & {"driver_info", "lib_name", "lib_version"}:
        given |= driver()
    pool.connection_class = bounded(pool.connection_class)


def is_django_redis(alias: str) -> bool:
    """Does an alias of CACHES lend its connection? Connects to nothing."""
    try:
        return hasattr(getattr(caches[alias], "client", None), "get_client")
    except (InvalidCacheBackendError, ImproperlyConfigured):
        return False
