"""The generation of the cache in Redis: entries stamped with another one do not exist.

It is random. Should Redis lose it, nothing is valid: a number that is counted up would begin
anew and revive what was cleared.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from audiocache.tiers import redis_scripts as scripts
from audiocache.tiers.redis_connection import RedisConnection


class Generation:
    """What this process knows of it."""

    def __init__(self, redis: RedisConnection, name: str) -> None:
        self._redis = redis
        self._name = name
        self._number = 0

    def known(self) -> int:
        """The generation to stamp a put with; the put says whether another was begun."""
        if self._number:
            return self._number
        with self._redis.use() as redis:
            [answer] = redis.mget([self._name])  # of another type it is None, and no error
        return self.learn(answer)

    def learn(self, answer: object) -> int:
        """The generation in an answer; where there is none in it, another is begun."""
        return self.remember(number_in(answer) or self._begin())

    def _begin(self) -> int:
        call = scripts.Call([self._name], [another()])
        with self._redis.use() as redis:
            return number_in(scripts.run(redis, scripts.BEGIN, [call])[0])

    def forget(self) -> None:
        """Ask again: another was begun."""
        self._number = 0

    def remember(self, number: int) -> int:
        """Know it from an answer or because we began it."""
        self._number = number
        return number


def another() -> int:
    """A generation that never was."""
    return secrets.randbelow(2**62 - 1) + 1


_is_number: Final = re.compile(rb"[1-9][0-9]{0,18}").fullmatch


def number_in(answer: object) -> int:
    """A generation as it may stand in Redis; 0 is none, and no entry is stamped with it."""
    valid = isinstance(answer, bytes) and _is_number(answer)
    return int(valid[0]) if valid else 0
