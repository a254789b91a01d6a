"""What is special about the memory tier: its bounds, its listener, and a store it may share."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import pytest
from django.core.cache import caches
from pytest_django import Settings

from audiocache.conf import MIB, CacheConfig
from audiocache.removals.values import Groups, Removal, digest
from audiocache.tiers.memory import MemoryTier
from tests.audiocache.conftest import NewTier
from tests.factories import NOW, FakeClock, entry

SHARED = {"BACKEND": "audiocache.backends.MemoryCache", "LOCATION": "tests of the memory tier"}


class Heard(list[tuple[str, list[str], str]]):
    """What a listener was told."""

    def __call__(self, tier: str, keys: Sequence[str], reason: str) -> None:
        self.append((tier, list(keys), reason))


def test_the_least_recently_used_leaves_by_count_and_the_listener_is_told(
    new_tier: NewTier,
) -> None:
    tier = new_tier("memory", max_entries=2)
    tier.on_evict = heard = Heard()
    first, second, third = entry("1"), entry("2"), entry("3")
    tier.put_many([first, second])
    tier.get(first.key)
    tier.put_many([third])
    assert set(tier.get_many([first.key, second.key, third.key])) == {first.key, third.key}
    assert heard == [("memory", [second.key], "evicted")]
    assert tier.counts["evicted"] == 1


def test_the_least_recently_used_leaves_by_bytes(new_tier: NewTier) -> None:
    tier = new_tier("memory", max_bytes=100)
    entries = [entry(str(number), audio=bytes(40)) for number in range(3)]
    tier.put_many(entries)
    assert tier.get(entries[0].key) is None
    assert tier.stats()["total_size_bytes"] == 80


def test_what_lapses_is_told_as_expired(memory_tier: MemoryTier, clock: FakeClock) -> None:
    memory_tier.on_evict = heard = Heard()
    made = entry("a", ttl=10)
    memory_tier.put_many([made])
    clock.now += 10
    assert memory_tier.get(made.key) is None
    assert heard == [("memory", [made.key], "expired")]


def test_a_back_fill_replaces_what_is_only_stale(memory_tier: MemoryTier, clock: FakeClock) -> None:
    made = entry("a", ttl=10, stale=1000)
    memory_tier.put_many([made])
    clock.now += 10
    fresh = entry("a", created=clock.now, audio=b"fresh")
    assert memory_tier.put_many([fresh], only_missing=True) == {made.key}


def test_the_share_of_its_bytes_that_is_used(new_tier: NewTier) -> None:
    tier = new_tier("memory", max_bytes=1000)
    tier.put_many([entry("a", audio=bytes(125))])
    assert tier.stats()["memory_usage_percent"] == 12.5
    assert new_tier("memory", max_bytes=0).stats()["memory_usage_percent"] == 0.0


def test_its_limits_come_from_the_configuration() -> None:
    tier = MemoryTier.from_config(CacheConfig(memory_max_size=7, memory_max_mb=0.5))
    assert tier.unknown_stats() == {
        "backend_type": "memory",
        "max_entries": 7,
        "max_bytes": MIB // 2,
    }


def test_two_caches_of_the_same_limits_share_nothing() -> None:
    first, second = (MemoryTier.from_config(CacheConfig()) for _ in range(2))
    first.put_many([entry("a", ttl=0)])
    assert second.stats()["entry_count"] == 0


def test_a_store_configured_as_a_cache_alias_is_shared(settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {"audiocache": SHARED}
    tier = MemoryTier.from_config(CacheConfig())
    made = entry("a", ttl=0)
    tier.put_many([made])
    caches["audiocache"].set("neighbour", "value")
    assert MemoryTier.from_config(CacheConfig()).get(made.key) == made._replace(tier="memory")

    assert tier.remove_group("text_digest", made.text_digest) == 1
    tier.put_many([made])
    tier.clear()
    assert tier.get(made.key) is None
    assert caches["audiocache"].get("neighbour") == "value"
    caches["audiocache"].clear()


def test_each_cache_on_a_shared_store_hears_what_leaves_it(settings: Settings) -> None:
    options = {"OPTIONS": {"MAX_ENTRIES": 2}, "LOCATION": "tests of two listeners"}
    settings.CACHES = settings.CACHES | {"audiocache": SHARED | options}
    tiers = [MemoryTier.from_config(CacheConfig()) for _ in range(2)]
    heard = [Heard() for _ in tiers]
    for tier, hears in zip(tiers, heard, strict=True):
        tier.on_evict = hears
    first, *others = [entry(str(number), ttl=0) for number in range(3)]
    caches["audiocache"].set("neighbour", "value")
    tiers[0].put_many([first, *others])
    assert heard == [[("memory", [first.key], "evicted")]] * 2
    assert [tier.counts["evicted"] for tier in tiers] == [1, 1]
    caches["audiocache"].clear()


def test_a_shared_store_forgets_a_cache_that_is_gone(settings: Settings) -> None:
    settings.CACHES = settings.CACHES | {"audiocache": SHARED}
    stays = MemoryTier.from_config(CacheConfig())
    before = len(stays.store.listeners._others)
    for _ in range(5):
        MemoryTier.from_config(CacheConfig())
    gc.collect()
    MemoryTier.from_config(CacheConfig())
    assert len(stays.store.listeners._others) <= before + 1


def test_an_alias_of_another_backend_is_not_used(settings: Settings) -> None:
    tier = MemoryTier.from_config(CacheConfig(memory_alias="default"))
    assert tier.store.max_entries == 100


@pytest.mark.parametrize("field", ["text_digest", "source_key", "tags"])
def test_a_group_that_nothing_belongs_to_removes_nothing(
    memory_tier: MemoryTier, field: str
) -> None:
    memory_tier.put_many([entry("a", tags=("abc",))])
    assert memory_tier.remove_group(field, "ab") == 0


def test_a_replaced_entry_has_left_its_tags(memory_tier: MemoryTier) -> None:
    memory_tier.put_many([entry("a", tags=("old",))])
    memory_tier.put_many([entry("a", tags=("new",))])
    assert memory_tier.remove_group("tags", "old") == 0
    assert memory_tier.remove_group("tags", "new") == 1


def test_what_others_removed_costs_no_more_for_being_much(memory_tier: MemoryTier) -> None:
    """On the pulse: 240 removals heard at once held up leases for as long as these last."""
    entries = [entry(str(number), tags=(f"of {number}",)) for number in range(50)]
    memory_tier.put_many(entries)
    others = [entry(str(number)) for number in range(40, 240)]
    removals = [Removal("text_digest", other.text_digest) for other in others]
    removals += [Removal("source_key", other.key) for other in others]
    removals += [Removal("tags", digest(f"of {at}"), digested=True) for at in range(40, 240)]
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        memory_tier.apply(removals)
    finally:
        sys.setprofile(None)
    assert calls < 50 * len(removals) / 4
    assert len(memory_tier.store) == 40


@pytest.mark.parametrize("digested", [False, True])
@pytest.mark.parametrize("before", [NOW, NOW + 1])
@pytest.mark.parametrize(
    ("field", "value", "namespace"),
    [
        ("all", "", ""),
        ("text_digest", "the text's", "a room"),
        ("text_digest", "the text's", "another"),
        ("text_digest", "another's", "a room"),
        ("source_key", "the source's", ""),
        ("source_key", "another's", ""),
        ("tags", "a tag", ""),
        ("tags", "another", ""),
    ],
)
def test_many_removals_concern_what_each_does(
    field: str, value: str, namespace: str, before: int, digested: bool
) -> None:
    made = entry("a", namespace="a room", tags=("first", "a tag"))._replace(
        text_digest="the text's", source_key="the source's"
    )
    hidden = digest if digested else str
    shown = hidden(value) if field == "tags" else value
    removal = Removal(field, shown, hidden(namespace), before, digested)
    assert Groups([removal]).concern(made) is removal.concerns(made)
