"""Law 10: what was removed stays removed, also for who read or began to make it before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.cache import MultiTierAudioCache as Cache
from audiocache.entries import AudioEntry
from audiocache.lru import ByteLRU
from audiocache.removals import ALL, Removal, Removals, notes
from audiocache.tiers.base import Tier
from audiocache.tiers.memory import MemoryTier
from audiocache.workers import Inline


class Lower(MemoryTier):
    """A tier below memory in which a look-up lets others in before it answers."""

    inline = False
    name = "persistent"
    meanwhile: Callable[[], object] | None = None

    def get_many(self, keys: object) -> dict[str, AudioEntry]:
        found = super().get_many(keys)  # type: ignore[arg-type]
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found


def store() -> ByteLRU[AudioEntry]:
    return ByteLRU(1000, 1_000_000)


@pytest.fixture
def lower() -> Lower:
    return Lower(store())


@pytest.fixture
def cache(lower: Lower) -> Cache:
    tiers: list[Tier] = [MemoryTier(store()), lower]
    return MultiTierAudioCache(CacheConfig(), tiers=tiers, executor=Inline())


WAYS: dict[str, Callable[[Cache], object]] = {
    "remove": lambda cache: cache.remove("Hello", voice="a"),
    "all variants": lambda cache: cache.remove("Hello", all_variants=True),
    "clear": lambda cache: cache.clear(),
    "by key": lambda cache: cache.discard_many([cache.clip("Hello", voice="a").key]),
}


@pytest.mark.parametrize("way", WAYS)
def test_law_10_a_back_fill_begun_before_the_removal_is_dropped(
    cache: Cache, lower: Lower, way: str
) -> None:
    cache.put("Hello", b"sound", voice="a")
    cache.tiers["memory"].clear()
    lower.meanwhile = lambda: WAYS[way](cache)
    assert cache.get("Hello", voice="a") == b"sound"
    assert cache.get("Hello", voice="a") is None


@pytest.mark.parametrize("way", WAYS)
def test_law_10_a_making_begun_before_the_removal_is_not_stored(cache: Cache, way: str) -> None:
    def make() -> bytes:
        WAYS[way](cache)
        return b"sound"

    assert cache.get_or_create("Hello", make, voice="a") == b"sound"
    assert not cache.has("Hello", voice="a")


def test_the_removal_of_another_clip_drops_nothing(cache: Cache, lower: Lower) -> None:
    cache.put("Hello", b"sound")
    cache.tiers["memory"].clear()
    lower.meanwhile = lambda: cache.remove("Goodbye", all_variants=True)
    cache.get("Hello")
    assert cache.tiers["memory"].get(cache.clip("Hello").key) is not None


def test_a_text_is_removed_in_its_namespace_alone(cache: Cache) -> None:
    for namespace in ("", "a", "b"):
        cache.put("Hello", b"sound", namespace=namespace, voice="x")
    assert cache.remove("Hello", namespace="a", all_variants=True)
    assert cache.has("Hello", namespace="b", voice="x")
    assert cache.has("Hello", voice="x")
    assert not cache.has("Hello", namespace="a", voice="x")


def test_removals_name_what_they_concern(cache: Cache) -> None:
    cache.put("Hello", b"sound", voice="a", tags=["greeting"])
    entry = cache.get_entry("Hello", voice="a")
    assert entry is not None
    assert Removal(ALL).concerns(entry)
    assert Removal("tags", "greeting").concerns(entry)
    assert Removal("source_key", entry.key).concerns(entry)
    assert not Removal("tags", "other").concerns(entry)
    assert not Removal("text_digest", entry.text_digest, "elsewhere").concerns(entry)


def test_where_the_log_no_longer_reaches_back_everything_counts_as_removed(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "REMEMBERED", 3)
    cache.put("Hello", b"sound")
    entry = cache.get_entry("Hello")
    assert entry is not None
    log = Removals()
    mark = log.mark()
    assert not log.since(mark, entry)
    for _ in range(3):
        log.note([Removal("key", "other")])
    assert not log.since(mark, entry)
    log.note([Removal("key", "other")])
    assert log.since(mark, entry)


@pytest.mark.untraced
def test_sixteen_threads_never_bring_a_removed_clip_back(cache: Cache) -> None:
    stop, back = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            cache.get("Hello")

    readers = [threading.Thread(target=read) for _ in range(16)]
    for reader in readers:
        reader.start()
    for _ in range(100):
        cache.put("Hello", b"sound")
        cache.tiers["memory"].clear()
        cache.remove("Hello")
        back.append(cache.get("Hello"))
    stop.set()
    for reader in readers:
        reader.join()
    assert set(back) == {None}
