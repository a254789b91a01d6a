"""Law 14: the last release and this one serve one table and one Redis side by side."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.db import connections

from tests.audiocache.conftest import ON_POSTGRESQL, server_url
from tests.releases import ROOT, check_out, last_release
from tests.tts.serving import settings
from tests.tts.vendors import openai
from tests.tts.vendors.server import Server

NEIGHBOUR = ROOT / "tests" / "sites" / "neighbour.py"
SECONDS = 3
LONG_SECONDS = 10 if os.environ.get("SOAK") == "short" else 30


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout of the last release."""
    return check_out(last_release(), tmp_path_factory.mktemp("last-release"))


@pytest.fixture
def vendor() -> Iterator[Server]:
    with openai.server() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex[:12]}"


Neighbour = subprocess.Popen[str]


def neighbour(checkout: Path, name: str, other: str, site: dict[str, Any], cwd: Path) -> Neighbour:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "SITE": json.dumps(site, default=str)}
    return subprocess.Popen(
        [sys.executable, str(NEIGHBOUR), name, other], cwd=cwd, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until_made(folder: Path, name: str) -> None:
    until = time.monotonic() + 60
    while not (folder / f"{name}.made").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def side_by_side(last: Path, site: dict[str, Any], folder: Path, seconds: float) -> set[str]:
    """The phrases that both paid for; the last release comes first, as in an upgrade."""
    with contextlib.ExitStack() as stack:
        both = [neighbour(last, "last", "this", site, folder)]
        stack.callback(both[0].kill)
        until_made(folder, "last")
        both.append(neighbour(ROOT, "this", "last", site, folder))
        stack.callback(both[1].kill)
        until_made(folder, "this")
        time.sleep(seconds)
        said = [one.communicate("end\n", timeout=60) for one in both]
    assert [error for _, error in said] == ["", ""]
    saw = [json.loads(told) for told, _ in said]
    assert [one["from"] for one in saw] == [str(last), str(ROOT)]
    assert all((one["errors"], one["losses"]) == (0, 0) for one in saw), saw
    assert min(one["rounds"] for one in saw) > seconds
    return {line for name in ("last", "this") for line in _made(folder, name)}


def _made(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.made").read_text().splitlines()


def site_on(folder: Path, vendor: Server, prefix: str, **more: Any) -> dict[str, Any]:
    """Little memory, so that the shared tiers are asked; no limits, so that nothing leaves."""
    shared = {"REDIS_URL": server_url(), "REDIS_PREFIX": prefix, "MEMORY_MAX_SIZE": 5}
    limits = {"PERSISTENT_MAX_SIZE": 0, "PERSISTENT_MAX_MB": 0}
    return settings(folder, vendor.url, **shared, **limits, **more)


def assert_each_was_paid_once(vendor: Server, made: set[str]) -> None:
    calls = Counter(heard.json()["input"] for heard in vendor.heard)
    assert set(calls) >= made
    assert set(calls.values()) == {1}


def assert_in_redis(prefix: str, number: int) -> None:
    with redis.Redis.from_url(server_url()) as client:
        assert sum(1 for _ in client.scan_iter(f"{prefix}*", count=1000)) >= number


TEXTS = "SELECT text FROM audiocache_entry WHERE text LIKE 'Phrase %'"


def on_a_file(last: Path, folder: Path, vendor: Server, prefix: str, seconds: float) -> None:
    made = side_by_side(last, site_on(folder, vendor, prefix), folder, seconds)
    with sqlite3.connect(folder / "cache" / "audio_cache.db") as file:
        assert {text for (text,) in file.execute(TEXTS)} >= made
    assert_each_was_paid_once(vendor, made)
    assert_in_redis(prefix, len(made))


def on_postgresql(last: Path, folder: Path, vendor: Server, prefix: str, seconds: float) -> None:
    site = site_on(folder, vendor, prefix, PERSISTENT_DATABASE="clips")
    known = connections["audiocache_pg"].settings_dict
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    site["DATABASES"]["clips"] = {name: known[name] for name in names} | {"CONN_MAX_AGE": None}
    made = side_by_side(last, site, folder, seconds)
    with connections["audiocache_pg"].cursor() as cursor:
        cursor.execute(TEXTS)
        assert {text for (text,) in cursor.fetchall()} >= made
    assert_each_was_paid_once(vendor, made)
    assert_in_redis(prefix, len(made))


def test_on_a_file_that_the_last_release_made(
    last: Path, tmp_path: Path, vendor: Server, prefix: str
) -> None:
    on_a_file(last, tmp_path, vendor, prefix, SECONDS)


@pytest.mark.chaos
def test_for_long_on_a_file(last: Path, tmp_path: Path, vendor: Server, prefix: str) -> None:
    on_a_file(last, tmp_path, vendor, prefix, LONG_SECONDS)


@pytest.mark.chaos
@ON_POSTGRESQL
def test_for_long_on_a_table_that_this_release_made(
    last: Path, tmp_path: Path, vendor: Server, prefix: str
) -> None:
    on_postgresql(last, tmp_path, vendor, prefix, LONG_SECONDS)
