"""SIGKILL to writers in the middle of their puts: what had returned is there, and whole."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.tiers.base import Tier
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ON_POSTGRESQL, server_url

ROOT = Path(__file__).parents[2]
WRITER = ROOT / "tests" / "sites" / "putting.py"
WRITERS = 3
ROUNDS = 10 if os.environ.get("SOAK") == "short" else 30


class Taken(NamedTuple):
    """A put that returned, and the tiers that took it: one is enough."""

    version: int
    tiers: list[str]


class Said(NamedTuple):
    """What one writer told before it was killed."""

    last: dict[str, Taken]
    """Of each text."""
    puts: int
    flushed: int


def said_in(path: Path) -> Said:
    lines = [line.split() for line in path.read_text().splitlines()]
    last = {words[2]: Taken(int(words[1]), words[3:]) for words in lines if words[0] == "put"}
    flushed = [int(words[1]) for words in lines if words[0] == "flushed"]
    return Said(last, max(taken.version for taken in last.values()), max(flushed, default=0))


@contextmanager
def writers(site: dict[str, Any], folder: Path, number: int) -> Iterator[list[Path]]:
    """Three of them; all are killed when the block ends."""
    files = [folder / f"{number}-{name}" for name in range(WRITERS)]
    started = [_writer(site, path) for path in files]
    try:
        yield files
    finally:
        for process in started:
            process.kill()
        for process in started:
            assert process.communicate(timeout=10)[1] == b""


def _writer(site: dict[str, Any], said: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SITE": json.dumps(site, default=str)}
    with said.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, str(WRITER), said.name], stdout=file, stderr=subprocess.PIPE,
            cwd=said.parent, env=environment,
        )  # fmt: skip


def until_all_put(files: list[Path], lines: int = 8) -> None:
    until = time.monotonic() + 60
    while any(path.read_bytes().count(b"\n") < lines for path in files):
        assert time.monotonic() < until, [path.read_text()[-200:] for path in files]
        time.sleep(0.005)


def kill_in_rounds(site: dict[str, Any], folder: Path, rounds: int) -> list[Said]:
    chance = random.Random(rounds)
    said: list[Said] = []
    for number in range(rounds):
        with writers(site, folder, number) as files:
            until_all_put(files)
            time.sleep(chance.uniform(0, 0.1))
        said += map(said_in, files)
    return said


def check(said: list[Said], cache: MultiTierAudioCache) -> None:
    last = {text: taken for one in said for text, taken in one.last.items()}
    held = {tier.name: held_by(tier, list(last), cache) for tier in cache.tiers.values()}
    for text, taken in last.items():
        assert_kept(taken, {name: there[text] for name, there in held.items() if text in there})
    table = cache.tiers["persistent"]
    assert isinstance(table, PersistentTier)
    assert_sums_agree(table)
    counted = cache.get_installation_stats()["persistent.puts"]
    # A flush that returned is there; a put may have been counted that was not told any more.
    assert sum(one.flushed for one in said) <= counted <= sum(one.puts + 1 for one in said)


def held_by(tier: Tier, texts: list[str], cache: MultiTierAudioCache) -> dict[str, int]:
    """The version of each text that a tier holds, all of them whole."""
    keys = {cache.clip(text).key: text for text in texts}
    found = tier.get_many(list(keys))
    assert tier.counts["corrupt"] == 0
    held = {}
    for key, entry in found.items():
        name, version, digest, body = entry.audio.split(b"|", 3)
        assert name.decode() == keys[key]
        assert hashlib.sha256(body).hexdigest() == digest.decode()
        held[keys[key]] = int(version)
    return held


def assert_kept(taken: Taken, held: dict[str, int]) -> None:
    """Each tier has what it took, or another has what was being put: so the older one had to go."""
    newest = max(held.values(), default=0)
    assert newest >= taken.version
    for tier in set(taken.tiers) - {"memory"}:
        assert held.get(tier, 0) >= taken.version or newest > taken.version


def assert_sums_agree(table: PersistentTier) -> None:
    with connections[table._database.alias].cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*), COALESCE(SUM(LENGTH(audio)), 0), COALESCE(SUM(size), 0)"
            " FROM audiocache_entry"
        )
        rows, size, told = cursor.fetchone()
        if table.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            assert cursor.fetchall() == [("ok",)]
    stats = table.stats()
    assert (stats["entry_count"], stats["total_size_bytes"], told) == (rows, size, size)


def limits(**more: Any) -> dict[str, Any]:
    """Nothing leaves for want of room."""
    return {"PERSISTENT_MAX_SIZE": 0, "PERSISTENT_MAX_MB": 0, **more}


def on_sqlite(folder: Path, rounds: int) -> None:
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    given = limits(BACKEND="sqlite", PERSISTENT_PATH=str(folder / "cache"))
    said = kill_in_rounds({"DATABASES": {"default": default}, "AUDIOCACHE": given}, folder, rounds)
    run_checks(said, given)


def on_postgresql_and_redis(folder: Path, rounds: int) -> None:
    known = connections["audiocache_pg"].settings_dict
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    databases = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
        "audiocache_pg": {name: known[name] for name in names} | {"CONN_MAX_AGE": None},
    }
    given = limits(
        PERSISTENT_DATABASE="audiocache_pg", REDIS_URL=server_url(),
        REDIS_PREFIX=f"test-{uuid4().hex[:12]}",
    )  # fmt: skip
    said = kill_in_rounds({"DATABASES": databases, "AUDIOCACHE": given}, folder, rounds)
    run_checks(said, given)


def run_checks(said: list[Said], given: dict[str, Any]) -> None:
    config = CacheConfig(**{name.lower(): value for name, value in given.items()})
    cache = MultiTierAudioCache(config)
    try:
        check(said, cache)
    finally:
        cache.close()


@pytest.mark.usefixtures("own_aliases")
def test_no_clip_is_lost_in_a_file(tmp_path: Path, unblocked: None) -> None:
    on_sqlite(tmp_path, 3)


@pytest.mark.chaos
@ON_POSTGRESQL
def test_no_clip_is_lost_in_postgresql_and_redis(tmp_path: Path) -> None:
    on_postgresql_and_redis(tmp_path, 1)


@pytest.mark.chaos
@pytest.mark.usefixtures("own_aliases")
def test_many_rounds_in_a_file(tmp_path: Path, unblocked: None) -> None:
    on_sqlite(tmp_path, ROUNDS)


@pytest.mark.chaos
@ON_POSTGRESQL
def test_many_rounds_in_postgresql_and_redis(tmp_path: Path) -> None:
    on_postgresql_and_redis(tmp_path, ROUNDS)
