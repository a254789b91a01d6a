"""All verbs from many threads for a while, with Redis stopped, frozen and emptied meanwhile."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.lru import ByteLRU
from audiocache.tiers.distributed import DistributedTier
from audiocache.tiers.memory import MemoryTier
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.redis_connection import RedisConnection, connect
from project.servers import RedisServer, start_redis

SECONDS = 8 if os.environ.get("SOAK") == "short" else 120
THREADS = 12
PHRASES = 400

pytestmark = [
    pytest.mark.soak,
    pytest.mark.django_db(transaction=True, databases=["default", "audiocache", "audiocache_pg"]),
]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with start_redis() as redis:
        yield redis


@pytest.fixture(params=["audiocache", "audiocache_pg"])
def cache(request: pytest.FixtureRequest, server: RedisServer) -> Iterator[MultiTierAudioCache]:
    client = connect(CacheConfig(redis_url=server.url))
    made = MultiTierAudioCache(
        CacheConfig(),
        tiers=[
            MemoryTier(ByteLRU(50, 200_000)),
            PersistentTier(request.param, max_entries=200, max_bytes=2_000_000),
            DistributedTier(RedisConnection(client)),
        ],
    )
    yield made
    made.close()


def sound(text: str, chance: random.Random) -> bytes:
    """A sound that tells whose it is."""
    return text.encode() + b"|" + os.urandom(chance.randrange(5000))


def use(cache: MultiTierAudioCache, text: str, chance: random.Random) -> bytes | None:
    """One verb, chosen by chance; the audio it gave."""
    verb = chance.randrange(20)
    if verb < 10:
        return cache.get(text)
    if verb < 14:
        return cache.get_or_create(text, lambda: sound(text, chance))
    if verb < 17:
        cache.put(text, sound(text, chance), ttl_seconds=chance.choice([None, 0.05, 2]))
    elif verb == 17:
        cache.remove(text, all_variants=True)
    elif verb == 18:
        return cache.get_many([text, f"{text} "]).get(text)
    elif chance.randrange(200) == 0:
        cache.clear()
    return None


def trouble(server: RedisServer, stop: threading.Event) -> None:
    """Stop and freeze Redis again and again; it comes back empty after a stop."""
    while not stop.wait(1):
        server.stop()
        if stop.wait(1):
            break
        server.start()
        if stop.wait(1):
            return
        server.pause()
        stop.wait(0.6)
        server.resume()
    if not server.running:
        server.start()


def test_no_error_and_no_wrong_sound_whatever_redis_does(
    cache: MultiTierAudioCache, server: RedisServer
) -> None:
    stop, wrong, seen = threading.Event(), [], Counter[str]()

    def work(number: int) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            text = f"phrase {chance.randrange(PHRASES)}"
            try:
                audio = use(cache, text, chance)
            except BaseException as error:
                wrong.append(repr(error))
                raise
            seen["calls"] += 1
            if audio is not None and not audio.startswith(text.encode() + b"|"):
                wrong.append(text)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    end = threading.Timer(SECONDS, stop.set)
    end.start()
    trouble(server, stop)
    for thread in threads:
        thread.join()
    end.join()
    assert wrong == []
    assert seen["calls"] > SECONDS * 100
    assert_agrees(cache)


def assert_agrees(cache: MultiTierAudioCache) -> None:
    """Totals are what lies in the table, within the limits; Redis works again by itself."""
    table = cache.tiers["persistent"]
    assert isinstance(table, PersistentTier)
    with connections[table._database.alias].cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(audio)), 0) FROM audiocache_entry")
        rows, size = cursor.fetchone()
    stats = table.stats()
    assert (stats["entry_count"], stats["total_size_bytes"]) == (rows, size)
    assert rows <= 200
    time.sleep(5.5)
    cache.put("after all", b"sound")
    assert cache.tiers["distributed"].get(cache.clip("after all").key) is not None
