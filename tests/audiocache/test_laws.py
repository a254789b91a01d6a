"""The fourteen laws of the house, as far as this package holds them: one test that names each."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connections, transaction

from audiocache import MultiTierAudioCache, memo
from audiocache.following import Following
from audiocache.keys import clip_of
from audiocache.models import AudioCacheEntry
from audiocache.tiers.base import Tier
from project.servers import start_redis
from tests.audiocache.conftest import ALIASES, ON_SQLITE, NewCache, NewTier, database_mark
from tests.factories import NOW, FakeClock, entry

Cache = MultiTierAudioCache
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
TIERS = ("memory", "persistent", "distributed")


@contextmanager
def statements(alias: str) -> Iterator[list[str]]:
    """What SQLite is asked to do meanwhile."""
    seen: list[str] = []
    connections[alias].ensure_connection()
    connection = connections[alias].connection
    connection.set_trace_callback(seen.append)
    yield seen
    connection.set_trace_callback(None)


# 1


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)], ids=str)
@ON_SQLITE
def test_law_1_tiers_are_asked_in_their_order_and_a_hit_fills_those_above(
    new_cache: NewCache,
    new_tier: NewTier,
    order: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: None,
) -> None:
    made = [new_tier("memory"), new_tier("sqlite"), new_tier("redis")]
    tiers = [made[place] for place in order]
    cache = new_cache(tiers=tiers)
    asked: list[str] = []
    for tier in tiers:
        spy(tier, asked, monkeypatch)
    names = [tier.name for tier in tiers]
    key = clip_of("Hello").key
    for depth, name in enumerate(names):
        cache.clear()
        cache.tiers[name].put_many([entry("Hello")])
        asked.clear()
        assert cache.get("Hello") == entry("Hello").audio
        assert asked == names[: depth + 1]
        holders = [n for n in names if cache.tiers[n].has_many([key], NOW)]
        assert holders == names[: depth + 1]
    cache.clear()
    asked.clear()

    def create() -> bytes:
        asked.append("provider")
        return WAV

    assert cache.get_or_create("Hello", create) == WAV
    assert [*dict.fromkeys(asked)] == [*names, "provider"]


@pytest.fixture
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pulse reads no removal log meanwhile, nor lapses what was read: that asks, too."""
    monkeypatch.setattr(Following, "beat", lambda _: None)


def spy(tier: Tier, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    get, get_many = tier.get, tier.get_many

    def noted(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def ask(keys: Any) -> Any:
            if asked[-1:] != [tier.name]:  # a tier's get may stand on its get_many
                asked.append(tier.name)
            return call(keys)

        return ask

    monkeypatch.setattr(tier, "get", noted(get))
    monkeypatch.setattr(tier, "get_many", noted(get_many))


# 2


@pytest.mark.parametrize("source", ["persistent", "distributed"])
def test_law_2_a_life_of_three_seconds_ends_everywhere_after_three_seconds(
    cache: Cache, clock: FakeClock, source: str, redis_client: redis.Redis, prefix: str
) -> None:
    key = cache.put("Hello", WAV, ttl_seconds=3)
    for name in {*TIERS} - {source}:
        cache.tiers[name].remove_many([key])
    clock.now += 2500
    found = cache.get_entry("Hello")
    assert found is not None
    assert (found.tier, found.created, found.expires) == (source, NOW, NOW + 3000)
    again = cache.get_entry("Hello")
    assert again == found._replace(tier="memory")
    if source == "persistent":
        cache.tiers["distributed"].put_many([found], only_missing=True)
        left = redis_client.pttl(f"{prefix}:entry:{key}")
        assert 0 < left <= 500
    clock.now += 499
    assert cache.get("Hello") == WAV
    clock.now += 1
    assert cache.get("Hello") is None
    assert not any(tier.get(key) for tier in cache.tiers.values())


# 3


def test_law_3_a_tier_in_trouble_is_a_miss(
    new_cache: NewCache, new_tier: NewTier, sql_kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with start_redis() as server:
        tiers = [new_tier("memory"), new_tier(sql_kind), new_tier("redis", redis_url=server.url)]
        cache = new_cache(tiers=tiers)
        cache.put("before", WAV)
        server.kill()
        with connections[ALIASES[sql_kind]].cursor() as cursor:
            cursor.execute("ALTER TABLE audiocache_entry RENAME TO away")
        try:
            for number in range(5):
                assert cache.get(f"absent {number}") is None
                cache.put(f"put {number}", WAV)
            assert cache.get("before") == WAV
            assert not cache.remove("absent")
        finally:
            with connections[ALIASES[sql_kind]].cursor() as cursor:
                cursor.execute("ALTER TABLE away RENAME TO audiocache_entry")
        told = cache.get_comprehensive_stats()
        assert told["performance"]["errors"] == {"memory": 0, "persistent": 1, "distributed": 1}
        assert not told["backends"]["persistent"]["available"]
        for name in TIERS[1:]:
            assert caplog.text.count(f"tier in trouble tier={name}") == 1


# 4


@pytest.mark.untraced
def test_law_4_however_many_ask_at_once_it_is_paid_for_once(
    cache: Cache, in_threads: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    calls: list[int] = []

    def create() -> bytes:
        calls.append(1)
        time.sleep(0.3)
        return WAV

    async def tasks() -> set[bytes]:
        return set(await asyncio.gather(*(cache.aget_or_create("a", create) for _ in range(50))))

    def ask(number: int) -> set[bytes]:
        return asyncio.run(tasks()) if number % 4 == 0 else {cache.get_or_create("a", create)}

    assert in_threads(12, ask) == [{WAV}] * 12
    assert len(calls) == 1


# 5


def test_law_5_every_read_from_the_database_and_redis_verifies_a_checksum(
    cache: Cache, sql_kind: str, redis_client: redis.Redis, prefix: str
) -> None:
    key = cache.put("Hello", WAV)
    rows = AudioCacheEntry.objects.using(ALIASES[sql_kind])
    rows.update(audio=WAV[:-1] + b"!")
    name = f"{prefix}:entry:{key}"
    value = redis_client.get(name)
    assert isinstance(value, bytes)
    redis_client.set(name, value[:-1] + b"!")
    cache.tiers["memory"].clear()
    assert cache.get("Hello") is None
    stats = cache.get_comprehensive_stats()
    assert set(stats["performance"]["misses"].values()) == {1}
    assert [stats["backends"][tier]["corrupt"] for tier in TIERS] == [0, 1, 1]
    assert not rows.exists()
    assert not redis_client.exists(name)


# 6


@database_mark("audiocache")
@pytest.mark.parametrize("broken", [False, True], ids=["all well", "without its table"])
def test_law_6_the_callers_transaction_and_the_clip_do_not_touch_each_other(
    new_cache: NewCache, broken: bool
) -> None:
    cache = new_cache("sqlite")
    alias = ALIASES["sqlite"]
    if broken:
        with connections[alias].cursor() as cursor:
            cursor.execute("ALTER TABLE audiocache_entry RENAME TO away")
    try:
        with transaction.atomic():
            cache.put("Hello", WAV)
            assert cache.get("absent") is None
            transaction.set_rollback(True)
        assert not connections[alias].in_atomic_block
        cache.tiers["memory"].clear()
        cache.tiers["distributed"].clear()
        assert cache.get("Hello") == (None if broken else WAV)
    finally:
        if broken:
            with connections[alias].cursor() as cursor:
                cursor.execute("ALTER TABLE away RENAME TO audiocache_entry")


# 7


def test_law_7_what_changes_the_sound_is_in_the_key_and_nothing_else(cache: Cache) -> None:
    key = cache.put("Hello", WAV, voice="nova", speed=1)
    same: list[dict[str, Any]] = [
        {"speed": 1.0, "voice": "nova"}, {"voice": "nova", "speed": 1, "model": None},
        {"voice": "nova", "speed": 1, "tags": ["t"], "ttl_seconds": 5, "content_type": "a/b"},
    ]  # fmt: skip
    assert {cache.put(" Hello ", WAV, **how) for how in same} == {key}
    others: list[dict[str, Any]] = [
        {"voice": "nova"}, {"voice": "nova", "speed": True}, {"voice": "nova", "speed": "1"},
        {"voice": "Nova", "speed": 1}, {"voice": "nova", "speed": 1, "namespace": "n"},
    ]  # fmt: skip
    assert key not in {cache.put("Hello", WAV, **how) for how in others}


# 8


@ON_SQLITE
def test_law_8_the_cost_of_a_put_and_of_a_statistic_does_not_grow(
    new_cache: NewCache, undisturbed: None
) -> None:
    cache = new_cache("sqlite")

    def cost() -> list[str]:
        cache.tiers["persistent"].tidying.due = 0.0  # type: ignore[attr-defined]
        with statements("audiocache") as seen:
            cache.put("one more", WAV)
            cache.get_comprehensive_stats()
            cache.remove("one more")
        return [re.sub(r" \(.*|\d+", "", statement) for statement in seen]

    cost()  # the first use reads where the removal log ends
    few = cost()
    cache.put_many([(f"text {number}", WAV) for number in range(600)])
    many = cost()
    assert many == few
    assert not any("COUNT(" in statement for statement in many)


@ON_SQLITE
def test_law_8_no_statement_deletes_without_bounds(new_cache: NewCache, clock: FakeClock) -> None:
    cache = new_cache("sqlite")
    cache.put_many([(f"text {number}", WAV) for number in range(250)], ttl_seconds=1, tags=["t"])
    with statements("audiocache") as seen:
        cache.remove("text 1")
        cache.remove("text 2", all_variants=True)
        cache.tiers["persistent"].remove_group("tags", "t")
        cache.put_many([(f"text {number}", WAV) for number in range(250)], ttl_seconds=1)
        clock.now += 1000
        cache.cleanup_expired()
        cache.clear()
    deletes = [one for one in seen if one.startswith("DELETE FROM audiocache_entry")]
    assert len(deletes) > 6
    assert all("LIMIT 100" in one or "LIMIT 20" in one or "key IN ('" in one for one in deletes)


@ON_SQLITE
def test_law_8_redis_is_asked_for_no_list_of_keys_and_flushes_nothing(
    new_cache: NewCache, redis_client: redis.Redis
) -> None:
    cache = new_cache("sqlite")
    with redis_client.monitor() as monitor:  # type: ignore[no-untyped-call]
        cache.put("Hello", WAV, tags=["t"], voice="nova")
        cache.tiers["memory"].clear()
        cache.tiers["persistent"].clear()
        cache.get("Hello", voice="nova")
        cache.has("absent")
        cache.remove("Hello", all_variants=True)
        cache.tiers["distributed"].remove_group("tags", "t")
        cache.get_comprehensive_stats()
        cache.cleanup_expired()
        cache.clear()
        redis_client.echo("the end")
        used, ours = set(), redis_client.get_connection_kwargs()["db"]
        while (seen := monitor.next_command())["command"] != "ECHO the end":
            if seen["db"] == ours:  # other tests use the server, too
                used.add(seen["command"].split()[0].upper())
    assert {"MGET", "SET", "UNLINK"} <= used
    assert not used & {"KEYS", "SCAN", "FLUSHDB", "FLUSHALL", "DBSIZE", "SSCAN"}


# 9


@ON_SQLITE
def test_law_9_reads_do_not_write(new_cache: NewCache) -> None:
    cache = new_cache("sqlite")
    cache.put_many([(f"text {number}", WAV) for number in range(20)])
    with statements("audiocache") as seen:
        for _ in range(3):
            cache.tiers["memory"].clear()
            for number in range(20):
                assert cache.get(f"text {number}") == WAV
                assert cache.get(f"text {number}") == WAV
    assert sum("FROM audiocache_entry" in statement for statement in seen) == 60
    assert all(statement.startswith("SELECT") for statement in seen)
    cache.flush()
    assert {row.hits for row in AudioCacheEntry.objects.all()} == {6}


# 10


def test_law_10_a_removal_is_seen_in_what_is_shared(
    new_cache: NewCache, new_tier: NewTier, sql_kind: str
) -> None:
    here = new_cache(sql_kind)
    there = new_cache(tiers=[new_tier(sql_kind), new_tier("redis")])
    for remove in (lambda: here.remove("Hello"), here.clear):
        here.put("Hello", WAV)
        assert there.get("Hello") == WAV
        remove()
        assert there.get("Hello") is None


# 11


def test_law_11_no_text_and_no_secret_reaches_a_log_an_error_or_a_key(
    new_cache: NewCache, sql_kind: str, caplog: pytest.LogCaptureFixture,
    redis_client: redis.Redis, prefix: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    logging.getLogger("factory").setLevel(logging.INFO)
    cache = new_cache(sql_kind, redis_host="example.org", redis_password="secret password")
    cache.put("secret phrase", b"x" * 10, voice="secret voice", tags=["secret tag"])
    errors = []
    for call in (
        lambda: cache.put("secret phrase\x00", WAV),
        lambda: cache.put("secret phrase", "secret sound"),  # type: ignore[arg-type]
        lambda: cache.put("secret phrase", WAV, ttl_seconds=-1),
        lambda: cache.get("secret phrase", voice=b"secret voice"),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            call()
        errors.append(str(caught.value))
    with connections[ALIASES[sql_kind]].cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_entry RENAME TO away")
    try:
        cache.put("secret phrase", WAV, tags=["secret tag"])
        cache.tiers["memory"].clear()
        cache.get("secret phrase")
    finally:
        with connections[ALIASES[sql_kind]].cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO audiocache_entry")
    names = b" ".join(redis_client.scan_iter(f"{prefix}*")).decode()
    shown = [caplog.text, *errors, names, repr(cache.get_entry("secret phrase")),
             repr(cache.clip("secret phrase")), str(cache.get_comprehensive_stats())]  # fmt: skip
    assert "tier in trouble" in caplog.text
    assert not [one for one in shown if "secret" in one]


# 12


def test_law_12_a_memory_hit_takes_no_lock_no_query_no_thread_and_no_hash(
    cache: Cache, sql_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put("Hello", WAV, voice="nova")
    assert cache.get("Hello", voice="nova") == WAV

    store: Any = cache.tiers["memory"]
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.store._lock:
            locked.set()
            done.wait(10)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("not on the hot path")

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    monkeypatch.setattr(memo, "clip_of", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    for name in TIERS[1:]:
        monkeypatch.setattr(cache.tiers[name], "get_many", refuse)
    monkeypatch.setattr(cache.executor, "submit", refuse)
    try:
        assert cache.get("Hello", voice="nova") == WAV
        hit = cache.aget("Hello", voice="nova")
        with pytest.raises(StopIteration) as answered:
            hit.send(None)  # it never waits: no loop is needed
        assert answered.value.value == WAV
    finally:
        done.set()
        monkeypatch.undo()
        holder.join(10)


# 13


IDLE = """
import socket, sqlite3, sys, threading

def refuse(*_, **__):
    raise AssertionError("nothing may be connected to")

sqlite3.connect = socket.socket.connect = refuse
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["audiocache"], AUDIOCACHE={"REDIS_URL": "redis://127.0.0.1:9"},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
)
django.setup()
from django.core.checks import run_checks
assert run_checks() == []
from audiocache import get_audio_cache
cache = get_audio_cache()
assert list(cache.tiers) == ["memory", "persistent", "distributed"]
print(threading.active_count())
"""


def test_law_13_importing_starts_connects_to_and_asks_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IDLE, str(tmp_path / "site.sqlite3")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.split() == ["1"]
    assert list(tmp_path.iterdir()) == []


@ON_SQLITE
def test_law_13_all_caches_of_a_process_share_one_thread(new_cache: NewCache) -> None:
    for cache in (new_cache("sqlite"), new_cache("sqlite"), new_cache("sqlite")):
        cache.put("Hello", WAV)
        cache.get("absent")
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("audiocache-pulse") == 1


# 14


def test_law_14_what_a_later_release_wrote_is_a_miss_and_left_alone(
    cache: Cache, sql_kind: str, redis_client: redis.Redis, prefix: str
) -> None:
    key = cache.put("Hello", WAV)
    rows = AudioCacheEntry.objects.using(ALIASES[sql_kind])
    rows.update(schema_version=99)
    name = f"{prefix}:entry:{key}"
    value = redis_client.get(name)
    assert isinstance(value, bytes)
    later = value[:2] + b"\x63" + value[3:]
    redis_client.set(name, later)
    cache.tiers["memory"].clear()
    assert cache.get("Hello") is None
    assert not cache.has("Hello")
    cache.cleanup_expired()
    cache.clear()
    assert rows.get().schema_version == 99
    assert redis_client.get(name) == later
    backends = cache.get_comprehensive_stats()["backends"]
    assert [backends[tier]["newer_schema"] for tier in TIERS[1:]] == [1, 1]
