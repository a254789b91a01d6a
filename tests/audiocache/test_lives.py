"""Longer and shorter lives, and texts that are forgotten: every process hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from audiocache import MultiTierAudioCache, get_audio_cache, lives
from audiocache.builder import replace_audio_cache
from audiocache.conf import CacheConfig
from audiocache.entries import NEVER, AudioEntry
from audiocache.mending import contents
from audiocache.models import AudioCacheEntry
from audiocache.pulse import pulse
from audiocache.tiers.base import Tier
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE, server_url

SOUND = b"RIFF somebody speaks"


@pytest.fixture(
    params=[
        pytest.param("audiocache", marks=ON_SQLITE),
        pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
    ]
)
def ours(request: pytest.FixtureRequest, settings: Any, prefix: str) -> MultiTierAudioCache:
    settings.AUDIOCACHE = {
        "PERSISTENT_DATABASE": request.param, "REDIS_URL": server_url(), "REDIS_PREFIX": prefix,
    }  # fmt: skip
    return get_audio_cache()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


@pytest.fixture
def theirs(ours: MultiTierAudioCache) -> Iterator[MultiTierAudioCache]:
    """As in another process of the site."""
    made = MultiTierAudioCache(CacheConfig.load())
    yield made
    made.close()


def in_memory(cache: MultiTierAudioCache, text: str = "Hello") -> AudioEntry:
    """What it serves, which is in its memory from then on."""
    cache.ladder.following.now()  # as the pulse does
    entry = cache.get_entry(text)
    assert entry is not None
    return entry


CHANGES: list[tuple[Callable[[Sequence[str]], int], bool]] = [
    (lives.pin, True),
    (lives.unpin, False),
    (lives.extend, False),
]


@pytest.mark.parametrize(("change", "endless"), CHANGES)
def test_other_processes_hear_of_another_life(
    ours: MultiTierAudioCache, theirs: MultiTierAudioCache, change: Any, endless: bool
) -> None:
    key = ours.put("Hello", SOUND)
    if change is lives.unpin:
        lives.pin([key])
    before = in_memory(theirs)
    assert change([key]) == 1
    after = in_memory(theirs)
    assert (after.expires == NEVER) is endless
    assert after.expires != before.expires
    assert {one.expires for one in theirs.ladder.where(theirs.clip("Hello")).values() if one} == {
        after.expires
    }


def test_a_forgotten_text_is_in_no_process(
    ours: MultiTierAudioCache, theirs: MultiTierAudioCache
) -> None:
    ours.put("Hello", SOUND)
    newer = ours.put("of a later release", SOUND)
    AudioCacheEntry.objects.filter(key=newer).update(schema_version=99)
    assert in_memory(theirs).text == "Hello"
    assert contents.texts() == 1
    assert in_memory(theirs).text is None
    assert AudioCacheEntry.objects.get(key=newer).text is not None


def test_law_10_what_is_removed_meanwhile_is_not_given_to_the_other_tiers(
    ours: MultiTierAudioCache, theirs: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ours.put("Hello", SOUND)
    read_then(monkeypatch, ours.tiers["persistent"], lambda: theirs.remove("Hello"))
    assert lives.pin([key]) == 1
    for cache in (ours, theirs):
        cache.ladder.following.now()
        assert cache.get("Hello") is None
        assert not any(cache.ladder.where(cache.clip("Hello")).values())


def read_then(monkeypatch: Any, tier: Tier, act: Callable[[], object]) -> None:
    """Something happens once a tier's rows are read."""
    get_many = tier.get_many

    def read(keys: Any) -> dict[str, AudioEntry]:
        found = get_many(keys)
        monkeypatch.setattr(tier, "get_many", get_many)
        act()
        return found

    monkeypatch.setattr(tier, "get_many", read)
