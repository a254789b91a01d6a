"""A database as it should not be: no error, no wrong sound, and all well afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from queue import Queue
from typing import Any

import psycopg
import pytest
from django.db import connections

from audiocache import MultiTierAudioCache
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.pulse import pulse
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import sending, waiting
from audiocache.tiers.sql.postgresql import PostgreSQL
from audiocache.turns import EXTEND_SECONDS, LEASE_SECONDS
from tests.audiocache.conftest import (
    ALIASES,
    OF_ONE_SESSION,
    ON_POSTGRESQL,
    ON_SQLITE,
    NewCache,
    NewTier,
)
from tests.factories import entry
from tests.load import LENGTHS, Load
from tests.proxies.faults import Fault, FaultProxy

SOUND = b"paid for"

Trouble = Callable[[str], AbstractContextManager[None]]


def execute(kind: str, statement: str) -> None:
    with connections[ALIASES[kind]].cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def locked(kind: str) -> Iterator[None]:
    """Another writes, and does not end."""
    settings = connections[ALIASES[kind]].settings_dict
    if kind == "sqlite":
        with closing(sqlite3.connect(settings["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    with psycopg.connect(**connections[ALIASES[kind]].get_connection_params()) as session:
        session.execute("LOCK TABLE audiocache_entry IN EXCLUSIVE MODE")
        yield
        session.rollback()


@contextmanager
def without_its_table(kind: str) -> Iterator[None]:
    execute(kind, "ALTER TABLE audiocache_entry RENAME TO away")
    yield
    execute(kind, "ALTER TABLE away RENAME TO audiocache_entry")


@contextmanager
def one_migration_behind(kind: str) -> Iterator[None]:
    """A column that this release knows is not there yet."""
    execute(kind, "ALTER TABLE audiocache_entry RENAME COLUMN timings TO later")
    yield
    execute(kind, "ALTER TABLE audiocache_entry RENAME COLUMN later TO timings")


@contextmanager
def restarted(kind: str) -> Iterator[None]:
    """As its clients see it: every connection has ended."""
    execute(
        kind,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    yield


TROUBLE: list[Trouble] = [locked, without_its_table, one_migration_behind]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, sql_kind: str) -> None:
    """Locks are waited for a moment."""
    limits = sending.TIME_LIMITS.replace("1000", "50").replace("5000", "300")
    monkeypatch.setattr(sending, "TIME_LIMITS", limits)
    if sql_kind == "sqlite":
        options = connections[ALIASES[sql_kind]].settings_dict["OPTIONS"]
        monkeypatch.setitem(options, "timeout", 0.05)


def told(cache: MultiTierAudioCache) -> int:
    errors: int = cache.recorder.performance()["errors"]["persistent"]
    return errors


def name_of(given: str | Trouble) -> str:
    return given if isinstance(given, str) else getattr(given, "__name__", "")


CASES = [
    *(pytest.param("sqlite", trouble, marks=ON_SQLITE) for trouble in TROUBLE),
    *(
        pytest.param("postgresql", trouble, marks=[ON_POSTGRESQL, pytest.mark.chaos])
        for trouble in [*TROUBLE, restarted]
    ),
]


@pytest.mark.untraced
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize(("sql_kind", "trouble"), CASES, ids=name_of)
def test_a_database_in_trouble_costs_no_error_and_no_wrong_sound(
    new_cache: NewCache, new_tier: NewTier, sql_kind: str, trouble: Trouble, seconds: float
) -> None:
    here, there = (
        new_cache(tiers=[new_tier("memory", max_entries=10), new_tier(sql_kind)]) for _ in range(2)
    )
    with Load(here, seconds) as load:
        time.sleep(load.seconds / 3)
        with trouble(sql_kind):
            time.sleep(load.fault)
    assert (load.errors, load.wrong) == ([], [])
    assert told(here) > 0
    assert_agree(here, there)


def assert_agree(here: MultiTierAudioCache, there: MultiTierAudioCache) -> None:
    """Without a restart, what one stored is the other's, and what it removed is gone."""
    until = time.monotonic() + 10
    while True:
        here.put("after all", b"after all|")
        there.tiers["memory"].clear()
        if there.get("after all") == b"after all|":
            break
        assert time.monotonic() < until
        time.sleep(0.05)
    assert here.remove("after all")
    there.tiers["memory"].clear()
    assert there.get("after all") is None


def test_a_schema_one_migration_ahead_is_no_trouble(new_cache: NewCache, sql_kind: str) -> None:
    cache = new_cache(sql_kind)
    execute(sql_kind, "ALTER TABLE audiocache_entry ADD COLUMN later TEXT NOT NULL DEFAULT ''")
    try:
        cache.put("Hello", b"sound", tags=["t"])
        cache.tiers["memory"].clear()
        found = cache.get_entry("Hello")
        assert found is not None
        assert found.tier == "persistent"
        assert told(cache) == 0
    finally:
        connections[ALIASES[sql_kind]].close()
        execute(sql_kind, "ALTER TABLE audiocache_entry DROP COLUMN later")


@ON_POSTGRESQL
@pytest.mark.parametrize("sql_kind", ["postgresql"])
@pytest.mark.usefixtures("impatient")
def test_while_others_write_the_removal_log_too_long_what_is_there_is_found(
    new_cache: NewCache, new_tier: NewTier, caplog: pytest.LogCaptureFixture
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), new_tier("postgresql")])
    cache.put("there", SOUND)
    with psycopg.connect(**connections[ALIASES["postgresql"]].get_connection_params()) as other:
        other.execute(PostgreSQL.one_writer)
        assert cache.get_or_create("made", lambda: SOUND) == SOUND
        cache.tiers["memory"].clear()
        assert cache.get("there") == SOUND
        cache.remove("nothing")
    assert "kind=TierBusy" in caplog.text
    assert "kind=TierUnavailable" not in caplog.text


# It takes no writes


@contextmanager
def sqlite_full(raw: Any) -> Iterator[None]:
    [pages] = raw.execute("PRAGMA page_count").fetchone()
    raw.execute(f"PRAGMA max_page_count = {pages}")
    yield
    raw.execute("PRAGMA max_page_count = 1000000")


@ON_SQLITE
def test_a_full_disk_costs_the_put_and_what_is_there_is_found(new_tier: NewTier) -> None:
    tier = new_tier("sqlite", max_bytes=0)
    there = entry("there")
    tier.put_many([there])
    raw = connections[ALIASES["sqlite"]].connection
    [free] = raw.execute("PRAGMA freelist_count").fetchone()
    large = entry("large", audio=bytes((free + 50) * 4096), tags=("t",))
    with sqlite_full(raw):
        with pytest.raises(TierError, match="full") as caught:
            tier.put_many([large])
        assert not isinstance(caught.value, TierUnavailable)
        assert tier.get(there.key) is not None
        assert tier.remove_many([there.key]) == 1
    assert connections[ALIASES["sqlite"]].connection is raw
    assert tier.put_many([large]) == {large.key}


READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET default_transaction_read_only = on",
}


@OF_ONE_SESSION
@pytest.mark.parametrize("made", [entry("new"), entry("new", tags=("t",))], ids=["bare", "tagged"])
def test_a_read_only_database_costs_the_put_and_is_left_for_another_connection(
    sql_tier: PersistentTier, made: Any
) -> None:
    """As after a fail-over: the address leads elsewhere by now."""
    there = entry("there")
    sql_tier.put_many([there])
    held = connections[ALIASES[sql_tier.vendor]].connection
    held.execute(READ_ONLY[sql_tier.vendor])
    assert sql_tier.get(there.key) is not None
    with pytest.raises(TierError) as caught:
        sql_tier.put_many([made])
    assert not isinstance(caught.value, TierUnavailable | TierBusy)
    assert connections[ALIASES[sql_tier.vendor]].connection is not held
    assert sql_tier.put_many([made]) == {made.key}


# The line to PostgreSQL


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Between the tests' connections and the server; what is silent is left soon."""
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.3)
    settings = connections[ALIASES["postgresql"]].settings_dict
    connections[ALIASES["postgresql"]].close()
    with FaultProxy(int(settings["PORT"])) as between, monkeypatch.context() as patched:
        patched.setitem(settings, "PORT", between.port)
        patched.setitem(settings, "OPTIONS", {"connect_timeout": 2})
        yield between
        between.become("")
        connections[ALIASES["postgresql"]].close()


@ON_POSTGRESQL
@pytest.mark.parametrize("fault", ["refuse", "silence", "reset", "cut"])
@pytest.mark.parametrize("tags", [(), ("t",)], ids=["bare", "tagged"])
def test_a_line_in_trouble_is_an_outage_and_ends(
    new_tier: NewTier, line: FaultProxy, fault: Fault, tags: tuple[str, ...]
) -> None:
    tier = new_tier("postgresql")
    made = entry("a", tags=tags)
    tier.put_many([made])
    line.become(fault)
    started = time.monotonic()
    with pytest.raises(TierUnavailable):
        tier.put_many([made])
    assert time.monotonic() - started < 1.5
    line.become("")
    assert tier.put_many([made]) == {made.key}
    assert tier.get(made.key) is not None


class Beat:
    """Asks a tier whenever the pulse comes to it."""

    def __init__(self, tier: PersistentTier) -> None:
        self._tier = tier
        self.answers: Queue[type[Exception] | None] = Queue()
        pulse.every(3600, self.work)
        pulse.ensure()

    def work(self) -> None:
        try:
            self._tier.check()
        except TierError as error:
            self.answers.put(type(error))
        else:
            self.answers.put(None)

    def answer(self) -> type[Exception] | None:
        pulse.soon(self.work)
        return self.answers.get(timeout=10)


@ON_POSTGRESQL
def test_the_pulse_does_not_wait_for_it_longer_than_a_lease_lasts(
    new_tier: NewTier, line: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert EXTEND_SECONDS + waiting.PULSE_SECONDS < LEASE_SECONDS
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 60)
    monkeypatch.setattr(waiting, "PULSE_SECONDS", 0.3)
    beat = Beat(new_tier("postgresql"))
    try:
        assert beat.answer() is None
        line.become("silence")
        assert beat.answer() is TierUnavailable
    finally:
        pulse.forget(beat.work)
        pulse.stop()


@ON_POSTGRESQL
def test_what_django_does_on_the_connection_takes_its_time(
    new_tier: NewTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.1)
    new_tier("postgresql").put_many([entry("a")])
    execute("postgresql", "SELECT pg_sleep(0.5)")


@OF_ONE_SESSION
@ON_POSTGRESQL
def test_a_backend_that_is_stopped_is_an_outage_and_ends(
    new_tier: NewTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel goes on to acknowledge what it is sent."""
    monkeypatch.setattr(waiting, "ANSWER_SECONDS", 0.3)
    tier = new_tier("postgresql")
    tier.put_many([entry("a")])
    raw = connections[ALIASES["postgresql"]].connection
    backend = raw.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(TierUnavailable):
            tier.get(entry("a").key)
        assert tier.get(entry("a").key) is not None  # on another connection
    finally:
        os.kill(backend, signal.SIGCONT)


@ON_POSTGRESQL
@pytest.mark.chaos
@pytest.mark.parametrize("seconds", LENGTHS)
def test_a_silent_postgresql_costs_no_error_and_one_slow_call_a_thread(
    new_cache: NewCache, new_tier: NewTier, line: FaultProxy, seconds: float
) -> None:
    cache = new_cache(tiers=[new_tier("memory", max_entries=10), new_tier("postgresql")])
    with Load(cache, seconds) as load:
        time.sleep(load.seconds / 3)
        line.become("silence")
        time.sleep(max(load.fault, 0.8))  # a wait ends after 0.3 s
        line.become("")
    assert (load.errors, load.wrong) == ([], [])
    assert max(load.slow(0.25)) <= 1
    assert told(cache) > 0
    assert_agree(cache, cache)
