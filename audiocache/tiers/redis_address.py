"""The configured address of Redis, looked at without connecting.

redis-py's own messages quote the URL, and with it the password: none of them comes out of here.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from audiocache.conf import CacheConfig

SCHEMES: Final = ("redis", "rediss", "unix")
_QUOTE: Final = "special characters of a password stand as %XX, '#' as %23"
_TEXTS: Final = {"client_name", "password", "protocol", "username"}
"""Options that redis-py takes as text; others that it does not convert are no use in a URL."""


def address_of(config: CacheConfig) -> str:
    """The URL of the configured server. Raises ImproperlyConfigured, which does not repeat it."""
    url = config.redis_url or _of_host(config)
    if problem := _problem(url):
        name = "CACHE_REDIS_URL" if config.redis_url else "CACHE_REDIS_HOST"
        raise ImproperlyConfigured(f"{name}: {problem}")
    return url


def _of_host(config: CacheConfig) -> str:
    host = config.redis_host or ""
    host = f"[{host}]" if ":" in host else host
    return f"redis://{host}:{config.redis_port}/{config.redis_db}"


def _problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its message repeats a part of the URL
        return f"host or port is not valid; {_QUOTE}"
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        return "must begin with redis://, rediss:// or unix://"
    if port == 0 or "#" in url:
        return f"is not a whole address; {_QUOTE}"
    return _place_problem(parts) or _option_problem(url, parts)


def _place_problem(parts: SplitResult) -> str:
    """Redis-py takes database 0 for what is no number."""
    if parts.scheme == "unix":
        return "" if parts.path else "has no path of a socket"
    database = unquote(parts.path).strip("/")
    return "" if not database or _is_number(database) else f"the database is no number; {_QUOTE}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _option_problem(url: str, parts: SplitResult) -> str:
    from redis.connection import URL_QUERY_ARGUMENT_PARSERS

    options = parse_qs(parts.query, keep_blank_values=True)
    known = {name for name in options if name.startswith("ssl_")} | _TEXTS
    # Options are not named here: in a URL that is torn they are a part of the password.
    if options.keys() - known - URL_QUERY_ARGUMENT_PARSERS.keys():
        return f"has an option that redis-py does not take from a URL; {_QUOTE}"
    if not all(_is_number(value) for value in options.get("db", ())):
        return "the database is no number"
    return "" if _makes_a_connection(url) else "has an option that redis-py does not accept"


def _makes_a_connection(url: str) -> bool:
    """Does redis-py take all this? A connection that is only made opens nothing."""
    from redis import RedisError
    from redis.connection import BlockingConnectionPool

    try:
        pool: Any = BlockingConnectionPool.from_url(url, **driver())
        pool.connection_class(**pool.connection_kwargs)
    except (TypeError, ValueError, AttributeError, RedisError):
        return False
    return True


@cache
def driver() -> dict[str, Any]:
    """What a connection tells the server of redis-py, which looks it up on disk for each: 1 ms."""
    try:
        from redis.driver_info import DriverInfo
    except ImportError:  # an older one: a constant of its own
        return {}
    return {"driver_info": DriverInfo()}
