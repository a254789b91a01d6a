"""Several processes of one host are scraped as one: the sum is what a client counted (issue 7).

Two workers of gunicorn, and one of Celery, under clients that count their own requests.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import celery
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.tts.serving import KINDS, Kind, Served, served, settings
from tests.tts.test_servers import COUNTS, broker_url
from tests.tts.vendors import openai
from tests.tts.vendors.server import Server

PHRASES, ROUNDS = 6, 8
TASKS = 4
SAVED = "tts_saved_dollars_total"
PRICE = {"provider": "openai", "model": "tts-1", "rate": 15}
COST = len("phrase0") * 15e-6
"""Of a hit."""
AT_START = 1
"""Entries that Celery's parent puts before it forks."""
CALLS = {"provider": "openai", "model": "tts-1", "outcome": "ok"}


@pytest.fixture
def vendor() -> Iterator[Server]:
    with Server(openai.answer) as server:
        yield server


Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(server: Served) -> Values:
    status, text = server.get("/metrics", {"Authorization": "Bearer sesame"})
    assert status == 200, text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def total(values: Values, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(n for (called, given), n in values.items() if called == name and wanted <= given)


def told(values: Values) -> tuple[float, float, float]:
    """Look-ups, calls, and how many misses of memory nobody looked for below."""
    look_ups = "audiocache_requests_total"
    missed = total(values, look_ups, tier="memory", result="miss")
    calls = total(values, "tts_provider_calls_total", **CALLS)
    below = total(values, look_ups, tier="persistent")
    return total(values, look_ups, tier="memory"), calls, missed - below


def errors(values: Values) -> Values:
    """Those that there were: a look-up that fails is in no other count."""
    return {key: number for key, number in values.items() if "errors" in key[0] and number}


def until(server: Served, asked: int, calls: int) -> Values:
    """Until all processes have told what they counted: each writes one number after the other."""
    end, wanted = time.monotonic() + 20, (float(asked), float(calls), 0.0)
    while told(values := scraped(server)) != wanted:
        assert time.monotonic() < end, f"{told(values)}, and not {wanted}; {errors(values)}"
        assert told(values)[0] <= asked
        time.sleep(0.1)
    return values


def two_processes(server: Served, without: int = 0) -> set[int]:
    """Those that answer, when both do: one may begin while the other has long been at work."""
    seen: set[int] = set()
    end = time.monotonic() + 20
    with ThreadPoolExecutor(4) as pool:
        while len(seen) < 2:
            assert time.monotonic() < end, f"only {seen} answer"
            told = pool.map(lambda _: json.loads(server.get("/state")[1])["process"], range(8))
            seen |= set(told) - {without}
    return seen


def load(server: Served) -> int:
    """How many requests were answered."""
    paths = [f"/speak/phrase{number % PHRASES}" for number in range(PHRASES * ROUNDS)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(server.get, paths))
    assert {status for status, _ in answers} == {200}
    return len(answers)


@contextlib.contextmanager
def site(kind: Kind, folder: Path, vendor: Server, **more: str) -> Iterator[Served]:
    given = settings(folder, vendor.url, BACKEND="sqlite", METRICS_TOKEN="sesame")
    given["TTS"] |= {"PRICES": [PRICE]}
    files = folder / "metrics"
    own = folder / kind.words.partition("|")[0]
    for one in (files, own):
        one.mkdir(exist_ok=True)
    with served(
        kind, given, own, FLUSH="0.2", PROMETHEUS_MULTIPROC_DIR=str(files), **more
    ) as server:
        yield server


def saved(server: Served, dollars: float) -> None:
    """Wait until it is told: a flush may have been under way when the last hit came."""
    end = time.monotonic() + 20
    while (seen := total(scraped(server), SAVED)) != pytest.approx(dollars):
        assert time.monotonic() < end, f"{seen} of {dollars}"
        time.sleep(0.1)


def in_database(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "cache" / "audio_cache.db") as file:
        return dict(file.execute(COUNTS))


def written(folder: Path, asked: int) -> None:
    """Wait until the database has as many look-ups: a process that is killed takes the others."""
    end = time.monotonic() + 20
    while (seen := look_ups(in_database(folder))) != asked:
        assert time.monotonic() < end, f"{seen} of {asked}"
        time.sleep(0.1)


def look_ups(counts: dict[str, int]) -> int:
    return counts.get("memory.hits", 0) + counts.get("memory.misses", 0)


def tell(queue: str) -> int:
    """Have the worker speak; how often."""
    with celery.Celery(broker=broker_url(), set_as_current=False) as broker:
        for number in range(TASKS):
            broker.send_task("speak", args=[f"task {number}"], queue=queue)
    return TASKS


def test_a_scrape_equals_the_clients_count(tmp_path: Path, vendor: Server) -> None:
    queue = f"test-{uuid4().hex[:8]}"
    names = {"BROKER": broker_url(), "QUEUE": queue}
    with (
        site(KINDS["celery prefork"], tmp_path, vendor, **names) as worker,
        site(KINDS["gunicorn with threads"], tmp_path, vendor) as server,
    ):
        asked = tell(queue)
        server.wait()
        processes = two_processes(server)
        until(server, asked := asked + load(server), calls=PHRASES + TASKS)
        assert len(vendor.heard) == PHRASES + TASKS
        written(tmp_path, asked)
        saved(server, before := in_database(tmp_path)["cache.saved"] / 1e6)
        # One that is killed takes nothing along that it had told.
        os.kill(killed := min(processes), signal.SIGKILL)
        two_processes(server, without=killed)
        values = until(server, asked + load(server), calls=PHRASES + TASKS)
        saved(server, before + PHRASES * ROUNDS * COST)
        worker.end()
        server.end()
    assert errors(values) == {}
    counts, entries = in_database(tmp_path), total(values, "audiocache_entries", tier="persistent")
    assert look_ups(counts) == TASKS + 2 * PHRASES * ROUNDS
    assert (counts["cache.created"], entries) == (PHRASES + TASKS, PHRASES + TASKS + AT_START)
