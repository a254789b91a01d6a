"""The short way of a look-up, and what leads back to the long one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connections

from audiocache import inherited
from audiocache.exceptions import TierUnavailable
from audiocache.tiers.base import Tier
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import session
from audiocache.tiers.sql.connection import OwnConnection
from audiocache.tiers.sql.prepared import PreparedReads
from tests.audiocache.conftest import ALIASES, OF_ONE_SESSION, ON_POSTGRESQL, ON_SQLITE, NewTier
from tests.factories import entry

KEY = entry("a").key
LongWays = Callable[[], int]


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> LongWays:
    """How many statements went the long way since it was asked last."""
    went: list[str] = []
    query = OwnConnection.query

    def seen(self: OwnConnection, sql: str, values: Any = ()) -> list[Any]:
        went.append(sql)
        return query(self, sql, values)

    monkeypatch.setattr(OwnConnection, "query", seen)

    def since() -> int:
        number = len(went)
        went.clear()
        return number

    return since


def filled_one(tier: Tier) -> PersistentTier:
    """With one entry, read once by this thread."""
    assert isinstance(tier, PersistentTier)
    tier.put_many([entry("a")])
    assert tier.get(KEY) == entry("a", tier="persistent")
    return tier


@pytest.fixture
def filled(new_tier: NewTier, sql_kind: str) -> PersistentTier:
    """On both databases."""
    return filled_one(new_tier(sql_kind))


@OF_ONE_SESSION
def test_who_has_read_before_goes_the_short_way(
    filled: PersistentTier, long_ways: LongWays
) -> None:
    long_ways()
    assert filled.get(KEY) == entry("a", tier="persistent")
    assert filled.get("b" * 64) is None
    assert filled.has_many([KEY], 0) == {KEY}
    assert long_ways() == 0


@OF_ONE_SESSION
def test_a_connection_that_was_closed_is_not_used_again(
    filled: PersistentTier, long_ways: LongWays
) -> None:
    filled.release()
    long_ways()
    assert filled.get(KEY) is not None
    assert long_ways() == 1
    assert filled.get(KEY) is not None
    assert long_ways() == 0


def test_what_another_thread_put_is_seen(
    filled: PersistentTier, in_threads: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    """No transaction is left open behind a look-up."""
    for number in range(3):
        other = entry(f"other {number}")

        def put(_: int, other: Any = other) -> None:
            filled.put_many([other])
            filled.release()

        in_threads(1, put)
        assert filled.get(other.key) is not None


def test_a_table_that_goes_is_an_outage_and_no_error_of_the_driver(
    filled: PersistentTier, sql_kind: str
) -> None:
    connection = connections[ALIASES[sql_kind]]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_entry RENAME TO audiocache_away")
    try:
        with pytest.raises(TierUnavailable):
            filled.get(KEY)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audiocache_away RENAME TO audiocache_entry")
    assert filled.get(KEY) is not None


@ON_SQLITE
def test_a_child_has_a_connection_of_its_own(new_tier: NewTier) -> None:
    filled = filled_one(new_tier("sqlite"))
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        here = filled._database._quick._here.used
        os.write(writes, b"none" if here is None else b"the parent's")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reads, 20) == b"none"
    assert filled.get(KEY) is not None


@ON_SQLITE
def test_one_look_up_within_another_goes_the_long_way(
    new_tier: NewTier, long_ways: LongWays
) -> None:
    """A signal's handler or a finalizer may look up in the middle of a look-up's rows."""
    filled = filled_one(new_tier("sqlite"))
    long_ways()
    with inherited.gate:
        assert filled.get(KEY) is not None
    assert long_ways() == 1


@OF_ONE_SESSION
@ON_POSTGRESQL
def test_a_session_that_forgot_its_statements_is_not_relied_on(
    new_tier: NewTier, long_ways: LongWays
) -> None:
    """As behind a pooler that passes on who serves, and changes who that is."""
    filled = filled_one(new_tier("postgresql"))
    connection = connections[ALIASES["postgresql"]]
    assert session.is_kept(connection)
    connection.connection.execute("DEALLOCATE ALL")
    long_ways()
    for _ in range(3):
        assert filled.get(KEY) == entry("a", tier="persistent")
    assert long_ways() == 3
    assert not session.is_kept(connection)


@OF_ONE_SESSION
@ON_POSTGRESQL
def test_a_backend_that_was_ended_is_an_outage_and_then_another_serves(
    new_tier: NewTier,
) -> None:
    filled = filled_one(new_tier("postgresql"))
    raw = connections[ALIASES["postgresql"]].connection
    with psycopg.connect(raw.info.dsn, password=raw.info.password) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [raw.info.backend_pid])
    with pytest.raises(TierUnavailable):
        filled.get(KEY)
    assert filled.get(KEY) is not None


@OF_ONE_SESSION
@ON_POSTGRESQL
def test_a_column_that_is_not_read_this_way_is_left_to_the_long_one(
    new_tier: NewTier,
) -> None:
    filled = filled_one(new_tier("postgresql"))
    filled.check()
    reads = PreparedReads(connections[ALIASES["postgresql"]].connection)
    assert reads.rows("SELECT 1.5::numeric", ()) is None
    assert reads.rows("SELECT 7, 'a'::text, NULL::text, -1::bigint", ()) == [[7, "a", None, -1]]
