"""Leases in Redis, beside a SQLite file and on PostgreSQL: one contract."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connections

from audiocache.exceptions import TierError
from audiocache.leases import Lease, LeaseStore
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import lease_file
from audiocache.tiers.sql.lease_file import LeaseFile
from tests.audiocache.conftest import DATABASES, ON_SQLITE, NewTier

LONG = 60_000


@pytest.fixture(params=[*DATABASES, "redis"])
def new_store(request: pytest.FixtureRequest, new_tier: NewTier) -> Callable[[], LeaseStore]:
    """Stores in one place, as two processes have them."""

    def make() -> LeaseStore:
        store: LeaseStore = new_tier(request.param).leases
        return store

    return make


@pytest.fixture
def store(new_store: Callable[[], LeaseStore], name: str) -> LeaseStore:
    return new_store()


@pytest.fixture
def name() -> str:
    return os.urandom(32).hex()


def taken(store: LeaseStore, name: str, owner: str, ms: int = LONG) -> Lease:
    return store.take({name: owner}, ms)[name]


def test_the_first_holds_it_and_the_second_is_told(
    new_store: Callable[[], LeaseStore], name: str
) -> None:
    one, two = new_store(), new_store()
    mine = taken(one, name, "one")
    assert mine.holder == "one"
    assert LONG - 1000 < mine.left_ms <= LONG
    assert taken(two, name, "two")[0] == "one"
    assert two.look([name])[name].holder == "one"


def test_an_unknown_one_is_free(store: LeaseStore, name: str) -> None:
    assert store.look([name]).get(name, Lease("", 0)).left_ms <= 0
    assert store.look([]) == {}


def test_who_asks_again_extends(store: LeaseStore, name: str) -> None:
    taken(store, name, "one", 1000)
    assert taken(store, name, "one").left_ms > LONG - 1000
    assert taken(store, name, "two").left_ms > LONG - 2000


def test_at_its_deadline_anybody_may_take_it_once(store: LeaseStore, name: str) -> None:
    taken(store, name, "dead", 1)
    threading.Event().wait(0.02)
    assert store.look([name])[name].left_ms <= 0
    assert taken(store, name, "two").holder == "two"
    assert taken(store, name, "three").holder == "two"
    assert taken(store, name, "dead").holder == "two"


def test_an_owner_without_rival_goes_on_after_its_deadline(store: LeaseStore, name: str) -> None:
    taken(store, name, "one", 1)
    threading.Event().wait(0.02)
    assert taken(store, name, "one").holder == "one"


def test_the_outcome_can_be_read_also_while_another_holds_it(store: LeaseStore, name: str) -> None:
    taken(store, name, "one")
    assert store.settle(name, "one", "failed because of ümlauts")
    known = store.look([name])[name]
    assert (known.holder, known.settled_by) == ("", "one")
    assert known.outcome == "failed because of ümlauts"
    assert known.left_ms <= 0
    assert taken(store, name, "two").holder == "two"
    assert store.look([name])[name][2:] == ("one", "failed because of ümlauts")


def test_who_lost_it_settles_nothing(store: LeaseStore, name: str) -> None:
    taken(store, name, "one", 1)
    threading.Event().wait(0.02)
    taken(store, name, "two")
    assert not store.settle(name, "one", "stored")
    assert store.look([name])[name][:1] + store.look([name])[name][2:] == ("two", "", "")


def test_an_owner_may_settle_where_nothing_is_known_of_it(store: LeaseStore, name: str) -> None:
    assert store.settle(name, "one", "stored")
    assert store.look([name])[name][2:] == ("one", "stored")


def test_many_at_once(store: LeaseStore) -> None:
    names = {os.urandom(32).hex(): f"owner {number}" for number in range(250)}
    held = store.take(names, LONG)
    assert {name: lease.holder for name, lease in held.items()} == names
    assert {name: lease.holder for name, lease in store.look(names).items()} == names


def test_of_sixteen_at_once_one_holds_it(
    new_store: Callable[[], LeaseStore], name: str, in_threads: Callable[..., list[Any]]
) -> None:
    stores = [new_store() for _ in range(4)]
    held = in_threads(
        16, lambda place: taken(stores[place % 4], name, f"{place}").holder == f"{place}"
    )
    assert sorted(held) == [False] * 15 + [True]


# SQLite and PostgreSQL


def test_what_ended_long_ago_is_forgotten(
    sql_tier: PersistentTier, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = sql_tier.leases
    assert store is not None
    taken(store, name, "one")
    store.settle(name, "one", "stored")
    store.sweep()
    assert name in store.look([name])
    monkeypatch.setattr("audiocache.tiers.sql.leases.KEPT_MS", -1000)
    for _ in range(1000):  # a handful at a time, and other tests have left some
        store.sweep()
        if not store.look([name]):
            return
    pytest.fail("it is kept for ever")


# Beside a SQLite file


@pytest.fixture
def file(new_tier: NewTier) -> LeaseFile:
    store = new_tier("sqlite").leases
    assert isinstance(store, LeaseFile)
    return store


@ON_SQLITE
def test_a_file_that_is_taken_away_is_made_anew(file: LeaseFile, name: str) -> None:
    taken(file, name, "one")
    for path in file.path.parent.glob(f"{file.path.name}*"):
        path.unlink()
    assert taken(file, name, "two").holder == "two"


@ON_SQLITE
def test_a_ruined_file_is_thrown_away(file: LeaseFile, name: str) -> None:
    file.close()
    file.path.write_bytes(b"no database " * 1000)
    with pytest.raises(TierError, match=r"^leases SQLITE_NOTADB$"):
        taken(file, name, "one")
    assert taken(file, name, "one").holder == "one"


@ON_SQLITE
def test_a_folder_that_cannot_be_written_to_is_trouble(
    file: LeaseFile, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no folder").write_text("a file")
    monkeypatch.setitem(
        connections["audiocache"].settings_dict, "NAME", str(tmp_path / "no folder" / "a.db")
    )
    with pytest.raises(TierError):
        taken(file, name, "one")


@ON_SQLITE
def test_a_database_in_memory_has_nobody_to_agree_with(
    new_tier: NewTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections["audiocache"].settings_dict, "NAME", ":memory:")
    assert PersistentTier("audiocache").leases is None


@ON_SQLITE
def test_several_threads_may_fork_at_once(new_tier: NewTier) -> None:
    file = new_tier("sqlite").leases
    assert isinstance(file, LeaseFile)
    shut = threading.Event()

    def fork() -> None:
        lease_file._before_fork()
        shut.set()
        lease_file._after_fork()

    lease_file._before_fork()
    other = threading.Thread(target=fork)
    other.start()
    assert not shut.wait(0.1)
    lease_file._after_fork()
    other.join(5)
    assert shut.is_set()
    assert file.look({"a"}) == {}


@ON_SQLITE
def test_over_a_fork_it_is_closed(file: LeaseFile, name: str) -> None:
    taken(file, name, "one")
    lease_file._before_fork()
    assert file._connection is None
    asked = threading.Thread(target=taken, args=(file, name, "two"))
    asked.start()
    asked.join(0.05)
    assert asked.is_alive()
    lease_file._after_fork()
    asked.join(5)
    assert file.look([name])[name].holder == "one"


# Redis


def test_what_is_no_lease_is_taken_away(
    new_tier: NewTier, redis_client: redis.Redis, prefix: str, name: str
) -> None:
    store: LeaseStore = new_tier("redis").leases
    taken(store, name, "one")
    [key] = redis_client.scan_iter(f"{prefix}:lease:*")
    redis_client.set(key, "foreign")
    assert taken(store, name, "two").holder == "two"


def test_no_name_is_in_redis_and_all_leave_by_themselves(
    new_tier: NewTier, redis_client: redis.Redis, prefix: str, name: str
) -> None:
    store: LeaseStore = new_tier("redis").leases
    taken(store, name, "one")
    store.settle(name, "one", "stored")
    [key] = redis_client.scan_iter(f"{prefix}:lease:*")
    assert name not in key.decode()
    assert 50_000 < redis_client.pttl(key) <= 60_000
