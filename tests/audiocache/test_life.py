"""Law 2: an entry has one life, and a back-fill does not lengthen it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.lru import ByteLRU
from audiocache.tiers.base import Tier
from audiocache.tiers.distributed import DistributedTier
from audiocache.tiers.memory import MemoryTier
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.redis_connection import RedisConnection, connect

pytestmark = pytest.mark.django_db(
    transaction=True, databases=["default", "audiocache", "audiocache_pg"]
)

MakeCache = Callable[[], MultiTierAudioCache]


@pytest.fixture(params=["audiocache", pytest.param("audiocache_pg", marks=pytest.mark.chaos)])
def new_cache(request: pytest.FixtureRequest) -> Iterator[MakeCache]:
    """Makes caches on the same table and the same Redis; each has a memory of its own."""
    made: list[MultiTierAudioCache] = []
    prefix = uuid4().hex

    def make() -> MultiTierAudioCache:
        client = connect(CacheConfig(redis_url=settings.TEST_REDIS_URL))  # type: ignore[misc]
        tiers: list[Tier] = [
            MemoryTier(ByteLRU(10, 1000)),
            PersistentTier(request.param),
            DistributedTier(RedisConnection(client), prefix=prefix),
        ]
        made.append(MultiTierAudioCache(CacheConfig(), tiers=tiers))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def held(cache: MultiTierAudioCache, text: str) -> dict[str, Any]:
    """The expiry of what each tier holds."""
    where = cache.ladder.where(cache.clip(text))
    return {name: entry and entry.expires for name, entry in where.items()}


@pytest.mark.parametrize("source", ["persistent", "distributed"])
def test_law_2_three_seconds_are_three_seconds_however_late_the_back_fill(
    new_cache: MakeCache, source: str
) -> None:
    first, second = new_cache(), new_cache()
    began = now_ms()
    first.put("Hello", b"sound", ttl_seconds=3)
    ended = now_ms()
    if source == "distributed":
        first.tiers["persistent"].clear()
    time.sleep(max(0.0, (began + 2500 - now_ms()) / 1000))
    entry = second.get_entry("Hello")
    assert entry is not None
    assert entry.tier == source
    instants = set(held(second, "Hello").values())
    assert instants == {entry.expires}
    assert began + 3000 <= entry.expires <= ended + 3000
    time.sleep(max(0.0, (entry.expires + 1 - now_ms()) / 1000))
    assert set(held(second, "Hello").values()) == {None}
    assert second.get("Hello") is None
    assert new_cache().get("Hello") is None
