"""What Redis' and the operating system's errors mean for the tier."""

from __future__ import annotations

import queue
from functools import cache
from typing import Final

from audiocache.exceptions import TierBusy, TierError, TierUnavailable

BUSY: Final = "all connections of the pool are in use"
DEMOTED: Final = "ReadOnlyError"
"""A primary that became a replica takes no writes."""


@cache
def caught() -> tuple[type[Exception], ...]:
    """What is trouble with the server: nothing wider."""
    from redis.exceptions import RedisError

    return RedisError, OSError


def trouble_of(error: Exception) -> TierError:
    """The tier's error for one of these. Of a script's or a command's, only the kind is told."""
    from redis import exceptions as redis

    if isinstance(error, redis.MaxConnectionsError):
        return TierBusy(BUSY)
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        # A blocking pool says it this way.
        busy = isinstance(error.__context__, queue.Empty)
        return TierBusy(BUSY) if busy else TierUnavailable(type(error).__name__)
    if isinstance(error, redis.ResponseError):
        return TierError(_kind(error))
    return TierUnavailable(type(error).__name__)


def _kind(error: Exception) -> str:
    """Redis' kind of error, its first word: what follows may quote a value.

    Where redis-py has a class for the kind, it leaves the word out. Of what a script met, older
    servers tell the kind further on.
    """
    from redis import exceptions as redis

    if type(error) is not redis.ResponseError:
        return type(error).__name__
    return DEMOTED if " -READONLY " in str(error) else str(error).partition(" ")[0]
