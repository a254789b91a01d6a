"""Redis: does it answer, is it bounded, what does it do when it is full, what time is it there?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from audiocache.doctor.case import Case
from audiocache.doctor.coordination import apart
from audiocache.doctor.findings import Finding
from audiocache.exceptions import TierError

OLDEST: Final = (5, 0)
_SET: Final = "redis-cli CONFIG SET {}; redis-cli CONFIG REWRITE"


def answers(case: Case) -> Iterator[Finding]:
    """The server, and is it new enough?"""
    try:
        version = str(_info(case, "server").get("redis_version", "0"))
    except TierError as error:
        yield Finding(
            "redis",
            f"Redis does not answer: {error}.",
            "Clips and removals are not shared by way of it; it is passed over meanwhile.",
            "redis-cli -u ADDRESS ping: is the server there, are address and password right?",
        )
        return
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        yield Finding(
            "redis_version",
            f"Redis is {version}.",
            "Commands that are needed are missing before 5.0.",
            "Install a newer Redis or Valkey.",
        )


def memory(case: Case) -> Iterator[Finding]:
    """A limit."""
    if not _info(case, "memory").get("maxmemory"):
        yield Finding(
            "redis_memory",
            "Redis has no maxmemory.",
            "Clips fill the machine's memory until the kernel ends a process.",
            _SET.format("maxmemory 256mb"),
        )


def policy(case: Case) -> Iterator[Finding]:
    """What it does when it is full."""
    found = _info(case, "memory")
    if found.get("maxmemory") and found.get("maxmemory_policy") == "noeviction":
        yield Finding(
            "redis_policy",
            "Redis evicts nothing (maxmemory-policy noeviction).",
            "When it is full every put fails, removals' log included.",
            _SET.format("maxmemory-policy allkeys-lru"),
        )


def clock(case: Case) -> Iterator[Finding]:
    """Its own."""
    with case.redis.use() as redis:
        seconds, micros = redis.time()
    yield from apart("redis_clock", "Redis", seconds * 1000 + micros // 1000 - case.now)


def _info(case: Case, section: str) -> dict[str, Any]:
    with case.redis.use() as redis:
        found: dict[str, Any] = redis.info(section)
    return found
