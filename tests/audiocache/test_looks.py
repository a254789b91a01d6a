"""A herd that misses memory asks the tiers below once, and counts as if each had asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.entries import AudioEntry
from audiocache.lru import ByteLRU
from audiocache.tiers.memory import MemoryTier

HERD = 20
SECONDS = 30
OLD, NEW = b"OggS old", b"OggS new"


class Slow(MemoryTier):
    """A tier below memory, whose first look-up has an answer, and gives it when it is told to."""

    inline = False
    name = "persistent"

    def __init__(self) -> None:
        super().__init__(ByteLRU(1000, 1_000_000))
        self.looks = 0
        self.answers = threading.Event()
        self.error: BaseException | None = None

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        self.looks += 1
        first, found = self.looks == 1, super().get_many(keys)
        assert not first or self.answers.wait(SECONDS)
        if first and self.error is not None:
            raise self.error
        return found


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def cache(slow: Slow) -> Iterator[MultiTierAudioCache]:
    memory = MemoryTier(ByteLRU(1000, 1_000_000))
    made = MultiTierAudioCache(CacheConfig(), tiers=[memory, slow])
    yield made
    made.close()


def when(happened: Callable[[], bool]) -> None:
    """Wait until it has."""
    until = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.002)


def counted(cache: MultiTierAudioCache, name: str) -> tuple[int, int]:
    counts = cache.get_comprehensive_stats()["performance"][name]
    return counts["memory"], counts["persistent"]


class Making:
    """A `create` that notes how often the tier had been asked before."""

    def __init__(self, slow: Slow) -> None:
        self._slow = slow
        self.asked: list[int] = []

    def __call__(self) -> bytes:
        self.asked.append(self._slow.looks)
        return NEW


def test_threads_that_miss_together_look_once(cache: MultiTierAudioCache, slow: Slow) -> None:
    create = Making(slow)
    with ThreadPoolExecutor(HERD) as pool:
        asked = [pool.submit(cache.get_or_create, "Hello", create) for _ in range(HERD)]
        when(lambda: cache.looks.waiting == HERD - 1)
        slow.answers.set()
        assert {one.result(SECONDS) for one in asked} == {NEW}
    assert create.asked == [2]  # the herd's look, and the maker's own when it had the turn
    assert counted(cache, "misses") == (HERD, HERD)
    assert counted(cache, "hits") == (0, 0)


def test_tasks_that_miss_together_look_once(cache: MultiTierAudioCache, slow: Slow) -> None:
    create = Making(slow)

    async def herd() -> set[bytes]:
        asked = [asyncio.ensure_future(cache.aget_or_create("Hello", create)) for _ in range(HERD)]
        await asyncio.to_thread(when, lambda: cache.looks.waiting == HERD - 1)
        slow.answers.set()
        return set(await asyncio.gather(*asked))

    assert asyncio.run(asyncio.wait_for(herd(), SECONDS)) == {NEW}
    assert create.asked == [2]
    assert counted(cache, "misses") == (HERD, HERD)


def test_what_another_found_and_was_removed_since_is_no_answer(
    cache: MultiTierAudioCache, slow: Slow
) -> None:
    """Law 10: whoever asks after a removal does not get what was read before it."""
    cache.put("Hello", OLD)
    cache.tiers["memory"].clear()
    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(cache.get_or_create, "Hello", lambda: NEW)
        when(lambda: slow.looks == 1)
        assert cache.remove("Hello")
        late = pool.submit(cache.get_or_create, "Hello", lambda: NEW)
        when(lambda: cache.looks.waiting == 1)
        slow.answers.set()
        assert (reader.result(SECONDS), late.result(SECONDS)) == (OLD, NEW)
    assert cache.get("Hello") == NEW


def test_what_another_found_is_counted_for_each(cache: MultiTierAudioCache, slow: Slow) -> None:
    cache.put("Hello", OLD)
    cache.tiers["memory"].clear()
    with ThreadPoolExecutor(HERD) as pool:
        asked = [pool.submit(cache.get_or_create, "Hello", lambda: NEW) for _ in range(HERD)]
        when(lambda: cache.looks.waiting == HERD - 1)
        slow.answers.set()
        assert {one.result(SECONDS) for one in asked} == {OLD}
    assert counted(cache, "misses") == (HERD, 0)
    assert counted(cache, "hits") == (0, HERD)


def test_a_look_that_is_stopped_is_made_anew(cache: MultiTierAudioCache, slow: Slow) -> None:
    """Whoever joined it does not go with whoever began it."""

    slow.error = KeyboardInterrupt()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_create, "Hello", lambda: NEW)
        when(lambda: slow.looks == 1)
        second = pool.submit(cache.get_or_create, "Hello", lambda: NEW)
        when(lambda: cache.looks.waiting == 1)
        slow.answers.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(SECONDS)
        assert second.result(SECONDS) == NEW
