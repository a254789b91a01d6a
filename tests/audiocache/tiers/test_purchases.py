"""Who deletes an entry notes why what was paid for is gone, and does its work where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from audiocache.cache import MultiTierAudioCache
from audiocache.models import Purchase
from audiocache.removals import TAGS, Removal
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES, NewTier
from tests.factories import HOUR, NOW, FakeClock, entry


def buy(kind: str, *sources: str) -> None:
    Purchase.objects.using(ALIASES[kind]).bulk_create(
        Purchase(source_key=source, first=NOW, paid=NOW, expires=NOW + HOUR) for source in sources
    )


def gone(kind: str) -> dict[str, str]:
    rows = Purchase.objects.using(ALIASES[kind])
    return dict(rows.values_list("source_key", "gone"))


def test_what_makes_room_is_evicted(new_tier: NewTier, sql_kind: str, clock: FakeClock) -> None:
    tier = new_tier(sql_kind, max_entries=2)
    for name in ("a", "b", "c"):
        buy(sql_kind, name)
        tier.put_many([entry(name, source_key=name)])
        clock.now += 1
    assert gone(sql_kind) == {"a": "evicted", "b": "", "c": ""}
    assert Purchase.objects.using(ALIASES[sql_kind]).get(source_key="a").gone_at == NOW + 2


REMOVALS: list[Any] = [
    lambda cache, one: cache.discard_many([one.key]),
    lambda cache, one: cache.ladder.remove_group("source_key", one.source_key),
    lambda cache, one: cache.ladder.remove_group(TAGS, "kept"),
    lambda cache, one: cache.clear(),
]


@pytest.mark.parametrize("remove", REMOVALS, ids=["key", "source", "tag", "clear"])
def test_what_somebody_removes_is_removed(
    cache: MultiTierAudioCache,
    sql_kind: str,
    remove: Callable[[MultiTierAudioCache, Any], object],
) -> None:
    buy(sql_kind, "a")
    one = entry("a", source_key="a", tags=("kept",))
    cache.ladder.store([one])
    remove(cache, one)
    assert gone(sql_kind) == {"a": "removed"}


def test_what_has_expired_is_not_removed(sql_tier: PersistentTier, sql_kind: str) -> None:
    buy(sql_kind, "a")
    sql_tier.put_many([entry("a", source_key="a", keep_until=NOW + 1)])
    sql_tier._clock.now += 5  # type: ignore[attr-defined]
    assert sql_tier.cleanup() == 1
    assert gone(sql_kind) == {"a": ""}


def test_what_cannot_be_read_is_lost(sql_tier: PersistentTier, sql_kind: str) -> None:
    buy(sql_kind, "a")
    one = entry("a", source_key="a")
    sql_tier.put_many([one])
    with connections[ALIASES[sql_kind]].cursor() as cursor:
        cursor.execute("UPDATE audiocache_entry SET checksum = checksum + 1")
    assert sql_tier.get_many([one.key]) == {}
    assert sql_tier.stats()["entry_count"] == 0
    assert gone(sql_kind) == {"a": ""}


def test_without_the_table_room_is_made_and_entries_are_removed(
    new_tier: NewTier, sql_kind: str
) -> None:
    """As a release before a migration has it."""
    tier = new_tier(sql_kind, max_entries=2)
    with connections[ALIASES[sql_kind]].cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_purchase RENAME TO away")
    try:
        for name in ("a", "b", "c"):
            tier.put_many([entry(name, source_key=name, tags=("kept",))])
        assert tier.stats()["entry_count"] == 2
        assert tier.log.remove([Removal(TAGS, "kept")], NOW)[0] == 2
        assert tier.stats()["entry_count"] == 0
    finally:
        with connections[ALIASES[sql_kind]].cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO audiocache_purchase")
