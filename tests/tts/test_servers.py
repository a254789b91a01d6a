"""Under the servers that people use: forks share nothing, and SIGTERM loses no paid call.

The server is told to end while a call is under way whose client has hung up. That clip and the
counters of all its processes must be in the database afterwards.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery
import pytest
from django.db import connections

from tests.audiocache.conftest import ON_POSTGRESQL, server_url
from tests.tts.serving import KINDS, Kind, Served, served, settings
from tests.tts.vendors import openai
from tests.tts.vendors.server import Heard, Server

CALL_SECONDS = 0.4
QUICK = ("gunicorn preload", "uvicorn")
"""All of them, on PostgreSQL and Redis too, are the soak's."""


def slow(line: socket.socket, heard: Heard) -> bool:
    time.sleep(CALL_SECONDS)
    return openai.answer(line, heard)


@pytest.fixture
def vendor() -> Iterator[Server]:
    with Server(slow) as server:
        yield server


def until_heard(vendor: Server, calls: int) -> None:
    until = time.monotonic() + 20
    while len(vendor.heard) < calls:
        assert time.monotonic() < until
        time.sleep(0.005)


def speak_and_end(server: Served, vendor: Server) -> None:
    """One clip is answered; of another the client leaves, and the server is told to end."""
    server.wait()
    status, audio = server.get(f"/{server.kind.speak}/hello")
    assert (status, audio[:4]) == (200, b"RIFF")
    for _ in range(6):  # more than one process answers
        assert json.loads(server.get("/state")[1])["errors"] == 0
    with server.asked(f"/{server.kind.speak}/late"):
        until_heard(vendor, 2)
    server.end()


def work_and_end(server: Served, vendor: Server, queue: str) -> None:
    """The same of a worker: one task is done, and the next has begun."""
    broker = celery.Celery(broker=broker_url(), set_as_current=False)
    for calls, text in enumerate(("hello", "late"), 1):
        broker.send_task("speak", args=[text], queue=queue)
        until_heard(vendor, calls)
        time.sleep(2 * CALL_SECONDS if text == "hello" else 0)
    server.end()
    broker.close()


def broker_url() -> str:
    """Celery takes no options of an address."""
    return server_url().partition("?")[0]


def run(kind: Kind, folder: Path, vendor: Server, **cache: Any) -> None:
    queue = f"test-{uuid4().hex[:8]}"
    site = settings(folder, vendor.url, **cache)
    if alias := cache.get("PERSISTENT_DATABASE"):
        known = connections["audiocache_pg"].settings_dict
        names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
        site["DATABASES"][alias] = {name: known[name] for name in names} | {"CONN_MAX_AGE": None}
    with served(kind, site, folder, BROKER=broker_url(), QUEUE=queue) as server:
        if kind.speak:
            speak_and_end(server, vendor)
        else:
            work_and_end(server, vendor, queue)


def assert_nothing_lost(kind: Kind, texts: set[str], counts: dict[str, int]) -> None:
    assert texts == {"hello", "late"} | ({"at start"} if kind.loads_once else set())
    assert (counts["cache.created"], counts["persistent.misses"]) == (2, 2)
    started = kind.loads_once and kind.counts_the_start
    assert counts["persistent.puts"] == 2 + started


TEXTS = "SELECT text FROM audiocache_entry"
COUNTS = "SELECT name, value FROM audiocache_count WHERE resolution = 'a' AND period = 0"


def in_file(folder: Path) -> tuple[set[str], dict[str, int]]:
    with sqlite3.connect(folder / "cache" / "audio_cache.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {text for (text,) in file.execute(TEXTS)}, dict(file.execute(COUNTS))


def in_postgresql() -> tuple[set[str], dict[str, int]]:
    with connections["audiocache_pg"].cursor() as cursor:
        cursor.execute(TEXTS)
        texts = {text for (text,) in cursor.fetchall()}
        cursor.execute(COUNTS)
        return texts, dict(cursor.fetchall())


@pytest.mark.parametrize("name", QUICK)
def test_sigterm_loses_neither_the_paid_clip_nor_the_counters(
    tmp_path: Path, vendor: Server, name: str
) -> None:
    run(KINDS[name], tmp_path, vendor)
    assert_nothing_lost(KINDS[name], *in_file(tmp_path))
    assert len(vendor.heard) == 2


@pytest.mark.chaos
@pytest.mark.parametrize("name", sorted(set(KINDS) - set(QUICK)))
def test_every_server_on_sqlite(tmp_path: Path, vendor: Server, name: str) -> None:
    run(KINDS[name], tmp_path, vendor)
    assert_nothing_lost(KINDS[name], *in_file(tmp_path))
    assert len(vendor.heard) == 2


@pytest.mark.chaos
@ON_POSTGRESQL
@pytest.mark.parametrize("name", KINDS)
def test_every_server_on_postgresql_and_redis(tmp_path: Path, vendor: Server, name: str) -> None:
    prefix = f"test-{uuid4().hex[:12]}-{os.getpid()}"
    run(
        KINDS[name], tmp_path, vendor,
        PERSISTENT_DATABASE="clips", REDIS_URL=server_url(), REDIS_PREFIX=prefix,
    )  # fmt: skip
    assert_nothing_lost(KINDS[name], *in_postgresql())
    assert len(vendor.heard) == 2
