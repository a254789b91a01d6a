"""What is special about the database: totals, eviction, damage, schema, and its connection."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections, transaction
from django.db import connection as callers
from django.db.models import Sum
from pytest_django import Settings

from audiocache.conf import MIB, CacheConfig
from audiocache.entries import LATEST
from audiocache.exceptions import CorruptEntry, TierBusy, TierError, TierUnavailable, Unwritable
from audiocache.models import AudioCacheEntry, Count, Tag, Total
from audiocache.rows import MAX_LABEL
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import batches, sending, tidying
from audiocache.tiers.sql.room import EVICT_ROWS
from audiocache.tiers.sql.tidying import SWEEP_ROWS
from tests.audiocache.conftest import ALIASES, ON_POSTGRESQL, ON_SQLITE, NewTier
from tests.factories import HOUR, NOW, FakeClock, entry, row


def alias(tier: PersistentTier) -> str:
    return ALIASES[tier.vendor]


def rows(tier: PersistentTier) -> Any:
    return AudioCacheEntry.objects.using(alias(tier))


def keys(tier: PersistentTier) -> set[str]:
    return set(rows(tier).values_list("key", flat=True))


def change(tier: PersistentTier, key: str, **fields: Any) -> None:
    assert rows(tier).filter(key=key).update(**fields) == 1


@contextmanager
def without_table(tier: PersistentTier) -> Iterator[None]:
    with connections[alias(tier)].cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_entry RENAME TO away")
    try:
        yield
    finally:
        with connections[alias(tier)].cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO audiocache_entry")


# Totals and eviction


def assert_totals(tier: PersistentTier) -> None:
    sums = rows(tier).aggregate(bytes=Sum("size", default=0))
    kept = Total.objects.using(alias(tier)).aggregate(
        entries=Sum("entries", default=0), bytes=Sum("bytes", default=0)
    )
    assert kept == {"entries": rows(tier).count(), **sums}
    assert (tier.stats()["entry_count"], tier.stats()["total_size_bytes"]) == (
        kept["entries"],
        kept["bytes"],
    )


def test_totals_equal_the_sum_over_the_rows(sql_tier: PersistentTier, clock: FakeClock) -> None:
    sql_tier.put_many([entry(str(n), audio=bytes(n), ttl=1000) for n in range(30)])
    assert_totals(sql_tier)
    sql_tier.put_many([entry("7", audio=bytes(700)), entry("8", audio=b"")])
    assert_totals(sql_tier)
    sql_tier.remove_many([entry("9").key])
    assert_totals(sql_tier)
    clock.now += 1000
    sql_tier.cleanup()
    assert_totals(sql_tier)
    sql_tier.clear()
    assert_totals(sql_tier)
    assert sql_tier.stats()["entry_count"] == 0


def test_a_put_rolled_back_with_its_batch_changes_no_total(sql_tier: PersistentTier) -> None:
    with transaction.atomic(using=alias(sql_tier)):
        sql_tier.put_many([entry("a")])
        transaction.set_rollback(True, using=alias(sql_tier))
    assert keys(sql_tier) == set()
    assert_totals(sql_tier)


def test_the_least_recently_used_rows_leave_first(
    new_tier: NewTier, sql_kind: str, clock: FakeClock
) -> None:
    tier = new_tier(sql_kind, max_entries=3)
    entries = [entry(str(number)) for number in range(4)]
    for one in entries[:3]:
        tier.put_many([one])
        clock.now += 1
    tier.touched({entries[0].key: 1}, clock.now)
    clock.now += 1
    tier.put_many([entries[3]])
    assert keys(tier) == {entries[0].key, entries[2].key, entries[3].key}
    assert tier.counts["evicted"] == 1


def test_rows_leave_until_the_bytes_fit(new_tier: NewTier, sql_kind: str, clock: FakeClock) -> None:
    tier = new_tier(sql_kind, max_bytes=100)
    for number in range(5):
        tier.put_many([entry(str(number), audio=bytes(30))])
        clock.now += 1
    assert keys(tier) == {entry(str(number)).key for number in (2, 3, 4)}
    tier.put_many([entry("large", audio=bytes(100))])
    assert keys(tier) == {entry("large").key}


def test_eviction_deletes_small_batches_and_tells_of_each(new_tier: NewTier, sql_kind: str) -> None:
    new_tier(sql_kind).put_many([entry(str(number)) for number in range(200)])
    tier = new_tier(sql_kind, max_entries=10)
    batches: list[int] = []
    tier.on_evict = lambda name, gone, reason: batches.append(len(gone))
    tier.put_many([entry("one more")])
    assert sum(batches) == 191
    assert max(batches) == EVICT_ROWS
    assert tier.stats()["entry_count"] == 10


def test_one_put_of_many_never_outgrows_the_limits_by_more_than_a_batch(
    new_tier: NewTier, sql_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = new_tier(sql_kind, max_entries=100, max_bytes=MIB)
    seen: list[int] = []
    store = tier._store

    def spy(*given: Any) -> Any:
        seen.append(rows(tier).count())
        return store(*given)

    monkeypatch.setattr(tier, "_store", spy)
    tier.put_many([entry(str(number), audio=bytes(10_000)) for number in range(1000)])
    assert len(seen) == 10
    assert max(seen) <= 100
    assert rows(tier).count() <= 100
    assert_totals(tier)


def test_a_batch_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 100)
    sizes = [40, 40, 40, 200, 100, 1]
    found = batches.batches_of(entry(str(n), audio=bytes(n)) for n in sizes)
    assert [[one.size for one in batch] for batch in found] == [[40, 40], [40], [200], [100], [1]]


def test_pinned_rows_stay_and_when_only_they_are_left_eviction_ends(
    new_tier: NewTier, sql_kind: str, clock: FakeClock
) -> None:
    tier = new_tier(sql_kind, max_entries=2)
    pinned = [entry("1"), entry("2")]
    tier.put_many(pinned)
    rows(tier).update(pinned=True)
    clock.now += 1
    tier.put_many([entry("3")])
    assert keys(tier) == {one.key for one in pinned}
    tier.put_many([entry("4")])
    assert keys(tier) == {one.key for one in pinned}


def test_a_replaced_row_keeps_its_pin_and_hits_and_has_another_revision(
    sql_tier: PersistentTier,
) -> None:
    made = entry("a")
    sql_tier.put_many([made])
    change(sql_tier, made.key, pinned=True, hits=7, audio_sha256="ab" * 32)
    sql_tier.put_many([made._replace(audio=b"again")])
    found = rows(sql_tier).get()
    assert (found.pinned, found.hits, found.revision) == (True, 7, 2)
    assert found.audio_sha256 == ""


def test_without_limits_nothing_is_evicted(new_tier: NewTier, sql_kind: str) -> None:
    tier = new_tier(sql_kind, max_bytes=0)
    tier.put_many([entry(str(number), audio=bytes(10_000)) for number in range(120)])
    assert tier.stats()["entry_count"] == 120
    assert (tier.stats()["max_entries"], tier.stats()["max_bytes"]) == (None, None)


def test_hits_are_added_and_the_last_use_never_goes_back(sql_tier: PersistentTier) -> None:
    first, second = entry("1"), entry("2")
    sql_tier.put_many([first, second])
    sql_tier.touched({first.key: 2, second.key: 1}, NOW + 500)
    sql_tier.touched({first.key: 3}, NOW + 100)
    found = {each.key: (each.hits, each.used) for each in rows(sql_tier)}
    assert found == {first.key: (5, NOW + 499), second.key: (1, NOW + 500)}


def test_a_put_sweeps_a_handful_of_expired_rows_once_in_a_while(
    sql_tier: PersistentTier, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql_tier.put_many([entry(str(number), ttl=10) for number in range(SWEEP_ROWS + 5)])
    clock.now += 10
    sql_tier.tidying.due = 0.0
    sql_tier.put_many([entry("a")])
    assert rows(sql_tier).count() == 6
    sql_tier.put_many([entry("b")])
    assert rows(sql_tier).count() == 7
    assert sql_tier.counts["expired"] == SWEEP_ROWS
    monkeypatch.setattr(tidying, "SWEEP_SECONDS", 0.0)
    sql_tier.tidying.due = 0.0
    sql_tier.put_many([entry("c")])
    assert rows(sql_tier).count() == 3


# Rows


def test_the_labels_of_the_variant_have_columns_of_their_own(sql_tier: PersistentTier) -> None:
    variant = {"provider": "espeak", "model": 2, "voice": "nova\x00", "language": "de", "speed": 1}
    sql_tier.put_many([entry("a", parameters=variant, audio=bytes(12))])
    found = rows(sql_tier).get()
    assert (found.provider, found.model, found.voice) == ("espeak", "2", "nova")
    assert (found.language, found.size, found.used) == ("de", 12, NOW)


def test_a_long_label_is_cut_and_fits_into_every_index(sql_tier: PersistentTier) -> None:
    chance = random.Random(7)
    label = "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(3000))
    long = entry("a", parameters={"provider": label, "model": label, "voice": label})
    assert sql_tier.put_many([long]) == {long.key}
    assert rows(sql_tier).get().voice == label[:MAX_LABEL]
    assert sql_tier.get(long.key) == long._replace(tier="persistent")


def test_tags_leave_with_their_entry(sql_tier: PersistentTier) -> None:
    sql_tier.put_many([entry("a", tags=("x", "y")), entry("b", tags=("x",))])
    sql_tier.remove_many([entry("a").key])
    tags = Tag.objects.using(alias(sql_tier)).values_list("tag", "key")
    assert set(tags) == {("x", entry("b").key)}


def test_a_replaced_entry_has_left_its_tags(sql_tier: PersistentTier) -> None:
    sql_tier.put_many([entry("a", tags=("old", "both"))])
    sql_tier.put_many([entry("a", tags=("both", "new"))])
    assert sql_tier.remove_group("tags", "old") == 0
    assert sql_tier.remove_group("tags", "both") == 1


def test_a_back_fill_that_was_not_taken_adds_no_tags(sql_tier: PersistentTier) -> None:
    sql_tier.put_many([entry("a")])
    sql_tier.put_many([entry("a", tags=("x",))], only_missing=True)
    assert not Tag.objects.using(alias(sql_tier)).exists()


def test_a_back_fill_replaces_what_has_expired(sql_tier: PersistentTier, clock: FakeClock) -> None:
    sql_tier.put_many([entry("a", ttl=10, stale=1000)])
    clock.now += 10
    fresh = entry("a", created=clock.now, audio=b"fresh")
    assert sql_tier.put_many([fresh], only_missing=True) == {fresh.key}
    assert sql_tier.get(fresh.key) == fresh._replace(tier="persistent")


@ON_SQLITE
def test_a_row_that_people_made_is_found(new_tier: NewTier) -> None:
    made = row("Hello")
    found = new_tier("sqlite").get(made.key)
    assert found is not None
    assert (found.text, found.audio) == ("Hello", made.audio)


def test_counters_are_kept_for_ever_and_by_the_hour(sql_tier: PersistentTier) -> None:
    assert sql_tier.add_counts({"hits": 2}, NOW + 5)
    assert sql_tier.add_counts({"hits": 3, "puts": 1}, NOW + HOUR)
    assert sql_tier.read_counts() == {"hits": 5, "puts": 1}
    hours = Count.objects.using(alias(sql_tier)).filter(resolution="h")
    start = NOW - NOW % HOUR
    assert set(hours.values_list("name", "period", "value")) == {
        ("hits", start, 2),
        ("hits", start + HOUR, 3),
        ("puts", start + HOUR, 1),
    }


# Damage


def flip(tier: PersistentTier, key: str) -> None:
    audio = bytearray(rows(tier).get(key=key).audio)
    audio[3] ^= 0x10
    change(tier, key, audio=bytes(audio))


def cut(tier: PersistentTier, key: str) -> None:
    change(tier, key, audio=bytes(rows(tier).get(key=key).audio)[:-1])


def swap(tier: PersistentTier, key: str) -> None:
    change(tier, key, audio=b"<html>not what was stored</html>")


def scribble(tier: PersistentTier, key: str) -> None:
    change(tier, key, tags="no JSON")


def other_json(tier: PersistentTier, key: str) -> None:
    change(tier, key, tags="5")


def deep_json(tier: PersistentTier, key: str) -> None:
    change(tier, key, tags="[" * 100_000)


def deep_variant(tier: PersistentTier, key: str) -> None:
    change(tier, key, variant='{"a":' * 100_000)


DAMAGES = [flip, cut, swap, scribble, other_json, deep_json, deep_variant]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_row_is_a_counted_miss_and_deleted(
    sql_tier: PersistentTier, damage: Callable[[PersistentTier, str], None]
) -> None:
    bad, good = entry("bad", tags=("t",)), entry("good")
    sql_tier.put_many([bad, good])
    damage(sql_tier, bad.key)
    assert set(sql_tier.get_many([bad.key, good.key])) == {good.key}
    assert sql_tier.counts["corrupt"] == 1
    assert keys(sql_tier) == {good.key}
    assert_totals(sql_tier)


@ON_SQLITE
@pytest.mark.parametrize("value", ["text", 5, 2**62], ids=str)
def test_a_foreign_value_that_sqlite_lets_in_is_a_counted_miss_and_deleted(
    new_tier: NewTier, value: str | int
) -> None:
    tier = new_tier("sqlite")
    made = entry("a")
    tier.put_many([made])
    with connections[alias(tier)].cursor() as cursor:
        cursor.execute("UPDATE audiocache_entry SET audio = %s", [value])
    assert tier.get(made.key) is None
    assert tier.counts["corrupt"] == 1
    assert keys(tier) == set()


@ON_SQLITE
@pytest.mark.parametrize(
    "changes",
    [{"storage_name": b"\xff"}, {"schema_version": "newest"}],
    ids=lambda changes: next(iter(changes)),
)
def test_of_a_sound_that_lies_elsewhere_a_foreign_value_is_a_counted_miss(
    new_tier: NewTier, changes: dict[str, Any]
) -> None:
    tier = new_tier("sqlite")
    made = entry("a")
    tier.put_many([made])
    values = {"audio": None, "storage_name": "clips/x", **changes}
    with connections[alias(tier)].cursor() as cursor:
        columns = ", ".join(f"{name} = %s" for name in values)
        cursor.execute(f"UPDATE audiocache_entry SET {columns}", list(values.values()))
    assert tier.get(made.key) is None
    assert tier.counts["corrupt"] == 1
    assert keys(tier) == set()


def write(tier: PersistentTier, key: str, column: str, value: str) -> None:
    """As only SQLite lets one: anything into any column."""
    with connections[alias(tier)].cursor() as cursor:
        cursor.execute(f"UPDATE audiocache_entry SET {column} = {value} WHERE key = %s", [key])


INSTANTS = ["created", "expires", "keep_until"]
STRANGE = [
    *((column, "'abc'") for column in [*INSTANTS, "schema_version", "cost", "billed_units"]),
    *((column, value) for column in INSTANTS for value in ("-5", "1.5e300", "x'00'")),
    *((column, "x'00'") for column in ["text", "variant", "content_type", "source_key", "timings"]),
    *(("variant", value) for value in ["'{bad'", "'5'", "'[]'"]),
    ("tags", "'[1]'"),
    *((column, "CAST(x'ff736563726574' AS TEXT)") for column in ["text", "variant", "tags"]),
    ("timings", "CAST(x'22ff22' AS TEXT)"),
    ("duration_ms", "2.5"),
]  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize(("column", "value"), STRANGE)
def test_a_column_of_another_kind_is_a_counted_miss_and_deleted_and_costs_only_its_row(
    new_tier: NewTier, column: str, value: str
) -> None:
    tier = new_tier("sqlite")
    bad, good = entry("bad"), entry("good")
    tier.put_many([bad, good])
    write(tier, bad.key, column, value)
    assert set(tier.get_many([bad.key, good.key])) == {good.key}
    assert tier.counts["corrupt"] == 1
    assert keys(tier) == {good.key}
    assert connections[alias(tier)].connection.text_factory is str


@ON_SQLITE
@pytest.mark.parametrize("value", ["'abc'", "1.5e300", "x'00'"])
@pytest.mark.parametrize("column", INSTANTS)
def test_a_row_with_a_damaged_instant_is_not_had(
    new_tier: NewTier, column: str, value: str
) -> None:
    tier = new_tier("sqlite")
    made = entry("a")
    tier.put_many([made])
    write(tier, made.key, column, value)
    assert tier.has_many([made.key], NOW) == set()


@ON_SQLITE
def test_a_damaged_size_does_not_keep_others_from_leaving(new_tier: NewTier) -> None:
    tier = new_tier("sqlite", max_entries=1, max_bytes=10)
    tier.put_many([entry("a", audio=b"1")])
    write(tier, entry("a").key, "size", "'abc'")
    tier.put_many([entry("b", audio=b"2")])
    assert len(keys(tier)) == 1


@pytest.mark.parametrize("created", [-1, LATEST + 1])
def test_an_instant_that_no_datetime_can_tell_is_damage(
    sql_tier: PersistentTier, created: int
) -> None:
    made = entry("a")
    sql_tier.put_many([made])
    change(sql_tier, made.key, created=created)
    assert sql_tier.get(made.key) is None
    assert sql_tier.counts["corrupt"] == 1


def test_a_row_of_a_newer_schema_is_a_counted_miss_and_left_alone(
    sql_tier: PersistentTier,
) -> None:
    made = entry("a")
    sql_tier.put_many([made])
    change(sql_tier, made.key, schema_version=2, audio=b"in a shape unknown here")
    assert sql_tier.get(made.key) is None
    assert sql_tier.counts["newer_schema"] == 1
    assert sql_tier.has_many([made.key], NOW) == set()
    assert sql_tier.put_many([made]) == set()
    assert sql_tier.put_many([made], only_missing=True) == set()
    sql_tier.clear()
    assert bytes(rows(sql_tier).get().audio) == b"in a shape unknown here"
    assert sql_tier.counts["corrupt"] == 0


def test_a_row_whose_sound_lies_nowhere_that_is_known_is_left_to_the_release_that_knows(
    sql_tier: PersistentTier,
) -> None:
    made = entry("a")
    sql_tier.put_many([made])
    change(sql_tier, made.key, audio=None, storage_name="")
    assert sql_tier.get(made.key) is None
    assert sql_tier.has_many([made.key], NOW) == set()
    assert sql_tier.counts["newer_schema"] == 1
    change(sql_tier, made.key, storage_name="../../etc/passwd")
    assert sql_tier.get(made.key) is None
    assert sql_tier.counts["unreachable"] == 1
    assert keys(sql_tier) == {made.key}


# Trouble and the connection


VERBS: dict[str, Callable[[PersistentTier], object]] = {
    "get": lambda tier: tier.get(entry("a").key),
    "has": lambda tier: tier.has_many([entry("a").key], NOW),
    "put": lambda tier: tier.put_many([entry("a")]),
    "put with tags": lambda tier: tier.put_many([entry("a", tags=("t",))]),
    "back-fill": lambda tier: tier.put_many([entry("a")], only_missing=True),
    "remove": lambda tier: tier.remove_many([entry("a").key]),
    "remove group": lambda tier: tier.remove_group("tags", "t"),
    "clear": lambda tier: tier.clear(),
    "cleanup": lambda tier: tier.cleanup(),
    "touched": lambda tier: tier.touched({entry("a").key: 1}, NOW),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_missing_table_is_a_tier_that_cannot_be_used(
    sql_tier: PersistentTier, verb: Callable[[PersistentTier], object]
) -> None:
    with without_table(sql_tier), pytest.raises(TierUnavailable):
        verb(sql_tier)
    sql_tier.put_many([entry("a")])
    assert keys(sql_tier) == {entry("a").key}


@ON_SQLITE
def test_a_locked_file_is_busy_and_no_outage(new_tier: NewTier) -> None:
    tier = new_tier("sqlite")
    path = connections[alias(tier)].settings_dict["NAME"]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for clip in (entry("a"), entry("a", tags=("t",))):
            tier.check()  # a connection that met trouble is closed, and opened anew
            connections[alias(tier)].connection.execute("PRAGMA busy_timeout = 10")
            with pytest.raises(TierBusy):
                tier.put_many([clip])
    connections[alias(tier)].close()


@ON_POSTGRESQL
def test_a_value_that_the_database_refuses_is_an_error_of_this_tier(new_tier: NewTier) -> None:
    tier = new_tier("postgresql")
    with pytest.raises(TierError) as caught:
        tier.put_many([entry("a", text="secret \x00 words")])
    assert type(caught.value) is Unwritable
    assert "secret" not in str(caught.value)


SECRET = "a secret phrase"
REFUSED = {
    "a number too large": {"cost": 2**70},
    "a lone surrogate": {"text": "secret \ud800"},
    "an index row too large": {"tags": ("".join(map(chr, range(0x20000, 0x20000 + 5000))),)},
    "a variant that is none": {"variant": "{secret"},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED)
def test_a_value_that_is_refused_costs_its_entry_and_is_no_outage(
    sql_tier: PersistentTier, fields: dict[str, Any]
) -> None:
    if "tags" in fields and sql_tier.vendor == "sqlite":
        # SQLite has no such limit: what it takes is as good as any other entry.
        assert sql_tier.put_many([entry("bad")._replace(**fields)]) == {entry("bad").key}
        return
    old, good = entry("bad"), entry("good")
    bad = old._replace(**fields)
    sql_tier.put_many([old])
    held = connections[alias(sql_tier)].connection
    with pytest.raises(TierError) as caught:
        sql_tier.put_many([bad])
    assert type(caught.value) in (Unwritable, CorruptEntry)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert sql_tier.counts["refused"] == 1
    assert connections[alias(sql_tier)].connection is held
    assert keys(sql_tier) == set()  # the older sound is not served in its place
    assert sql_tier.put_many([bad, good]) == {good.key}
    assert sql_tier.counts["refused"] == 2
    assert keys(sql_tier) == {good.key}


@ON_SQLITE
def test_a_text_that_cannot_be_read_is_in_no_message(new_tier: NewTier) -> None:
    tier = new_tier("sqlite")
    made = entry("a")
    tier.put_many([made])
    write(tier, made.key, "text", "CAST(x'ff736563726574' AS TEXT)")
    with pytest.raises(TierError) as caught:
        tier._database.query("WITH one AS (SELECT text FROM audiocache_entry) SELECT * FROM one")
    assert type(caught.value) is TierError
    assert str(caught.value) == "OperationalError"
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@ON_POSTGRESQL
def test_a_message_of_the_server_is_not_told(new_tier: NewTier) -> None:
    tier = new_tier("postgresql")
    with pytest.raises(TierError) as caught:
        tier._database.query("SELECT %s::regclass", [SECRET])
    assert str(caught.value) == "ProgrammingError 42602"
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@contextmanager
def another_holds(tier: PersistentTier, statement: str) -> Iterator[None]:
    """Another session has done this and does not end its transaction."""
    with psycopg.connect(**connections[alias(tier)].get_connection_params()) as other:
        other.execute(statement)
        try:
            yield
        finally:
            other.rollback()


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = sending.TIME_LIMITS.replace("1000", "50").replace("5000", "200")
    monkeypatch.setattr(sending, "TIME_LIMITS", limits)


WRITES = {name: VERBS[name] for name in ("put", "put with tags", "remove", "touched")}


@ON_POSTGRESQL
@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("verb", WRITES.values(), ids=WRITES)
def test_a_row_that_another_locked_holds_a_caller_for_a_moment_and_is_no_outage(
    new_tier: NewTier, verb: Callable[[PersistentTier], object]
) -> None:
    tier = new_tier("postgresql")
    tier.put_many([entry("a", tags=("t",))])
    with another_holds(tier, "SELECT 1 FROM audiocache_entry FOR UPDATE"):
        with pytest.raises(TierBusy):
            verb(tier)
        assert tier.get(entry("a").key) is not None
    verb(tier)


@ON_POSTGRESQL
@pytest.mark.usefixtures("short_limits")
def test_a_table_that_another_locked_is_an_outage(new_tier: NewTier) -> None:
    tier = new_tier("postgresql")
    tier.put_many([entry("a")])
    with another_holds(tier, "LOCK TABLE audiocache_entry"), pytest.raises(TierUnavailable):
        tier.get(entry("a").key)
    assert tier.get(entry("a").key) is not None


@ON_POSTGRESQL
@pytest.mark.usefixtures("short_limits")
def test_a_statement_that_takes_too_long_is_an_outage(new_tier: NewTier) -> None:
    tier = new_tier("postgresql")
    tier.put_many([entry("a")])
    with pytest.raises(TierUnavailable, match="57014"):
        tier._database.query("SELECT pg_sleep(5)")
    assert tier.get(entry("a").key) is not None


@ON_POSTGRESQL
def test_the_time_limits_do_not_stay_with_the_session(new_tier: NewTier) -> None:
    """Behind pgbouncer the session is another's next."""
    tier = new_tier("postgresql")
    tier.put_many([entry("a", tags=("t",))])
    tier.touched({entry("a").key: 1}, NOW)
    with connections[alias(tier)].cursor() as cursor:
        for name in ("lock_timeout", "statement_timeout"):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == ("0",)


@ON_POSTGRESQL
def test_expired_rows_that_another_holds_are_passed_over(
    new_tier: NewTier, clock: FakeClock
) -> None:
    tier = new_tier("postgresql")
    tier.put_many([entry("a", ttl=10), entry("b", ttl=10)])
    clock.now += 10
    held = f"SELECT 1 FROM audiocache_entry WHERE key = '{entry('a').key}' FOR UPDATE"
    with another_holds(tier, held):
        assert tier.cleanup() == 1
    assert keys(tier) == {entry("a").key}


@ON_POSTGRESQL
@pytest.mark.usefixtures("short_limits")
def test_law_11_a_statement_that_fails_leaves_no_text_in_the_servers_log(
    new_tier: NewTier,
) -> None:
    """The server logs it as it was sent; neither ours nor Django's has a value in it."""
    tier, log = new_tier("postgresql"), Path(os.environ["TEST_POSTGRES_LOG"])
    text = f"a secret phrase {uuid4()}"
    secret = entry(text, tags=(f"tag of {text}",), audio=text.encode())
    tier.put_many([secret])
    begin = log.stat().st_size
    with another_holds(tier, "LOCK TABLE audiocache_entry, audiocache_tag"):
        with pytest.raises(TierError):
            tier.put_many([secret])
        with pytest.raises(TierError):
            tier.remove_group("tags", secret.tags[0])
        with pytest.raises(TierError):
            tier._database.run_many("UPDATE audiocache_tag SET tag = %s", [[text]])
        with transaction.atomic(using=alias(tier)):
            connections[alias(tier)].cursor().execute("SET LOCAL lock_timeout = 50")
            with pytest.raises(OperationalError):
                rows(tier).filter(text=text).exists()
            transaction.set_rollback(True, using=alias(tier))
    logged = log.read_bytes()[begin:]
    # Of those that waited for a lock: another test's may lack the table meanwhile.
    waited = rb"lock timeout.*\n(?:.*(?:CONTEXT|DETAIL|HINT):.*\n)*.*STATEMENT: +(.*)"
    inserts = [one for one in re.findall(waited, logged) if b"INTO audiocache_entry" in one]
    assert len(inserts) == 1
    assert b"UPDATE audiocache_tag SET tag" in logged
    assert b'"audiocache_entry"."text" = $2' in logged
    for told in (text, text.encode().hex()):
        assert told.encode() not in logged


def test_while_debug_is_on_no_text_or_sound_reaches_the_query_log(
    sql_tier: PersistentTier, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True
    caplog.set_level("DEBUG")
    secret = entry("a secret phrase", tags=("a secret tag",), audio=b"a secret sound")
    sql_tier.put_many([secret])
    assert sql_tier.get(secret.key) is not None
    sql_tier.remove_group("tags", "a secret tag")
    logged = f"{connections[alias(sql_tier)].queries} {caplog.text}"
    assert "secret" not in logged
    assert b"a secret sound".hex() not in logged


def test_the_callers_connection_is_not_asked(
    sql_tier: PersistentTier, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0, connection=callers):
        sql_tier.put_many([entry("a", tags=("t",))])
        sql_tier.get(entry("a").key)
        sql_tier.clear()


def test_closing_inside_a_transaction_leaves_that_usable(sql_tier: PersistentTier) -> None:
    with transaction.atomic(using=alias(sql_tier)):
        sql_tier.put_many([entry("a")])
        sql_tier.close()
        assert sql_tier.get(entry("a").key) is not None
    assert keys(sql_tier) == {entry("a").key}


def test_a_connection_that_was_lost_is_opened_anew(sql_tier: PersistentTier) -> None:
    sql_tier.put_many([entry("a")])
    sql_tier.close()
    assert sql_tier.get(entry("a").key) is not None


@ON_SQLITE
def test_only_sqlite_tells_its_file(new_tier: NewTier) -> None:
    tier = new_tier("sqlite")
    assert tier.stats()["db_path"] == str(connections[alias(tier)].settings_dict["NAME"])
    assert "db_path" not in new_tier("postgresql").unknown_stats()


def test_its_alias_and_limits_come_from_the_configuration() -> None:
    tier = PersistentTier.from_config(
        CacheConfig(
            persistent_database="audiocache_pg", persistent_max_size=5, persistent_max_mb=0.5
        )
    )
    assert (tier.vendor, tier.max_entries, tier.max_bytes) == ("postgresql", 5, 2**19)
    with pytest.raises(ImproperlyConfigured, match="'nowhere' is not an alias in DATABASES"):
        PersistentTier.from_config(CacheConfig(persistent_database="nowhere"))
