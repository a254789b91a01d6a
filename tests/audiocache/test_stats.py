"""Counters: what is counted, hit rates, latency, and that threads lose none."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import audiocache
from audiocache.exceptions import CorruptEntry, TierBusy, TierUnavailable
from audiocache.stats import (
    BACKFILLS,
    ERRORS,
    HITS,
    MISSES,
    PUTS,
    STALE,
    Recorder,
    latencies_of,
    quantile,
)

TIERS = ("memory", "persistent")


def test_the_shape_before_anything_was_counted() -> None:
    zero = dict.fromkeys(TIERS, 0)
    assert Recorder(TIERS).performance() == {
        **dict.fromkeys(("hits", "misses", "puts", "errors", "stale", "backfills"), zero),
        "memory_hit_rate": 0.0,
        "persistent_hit_rate": 0.0,
        "latency": {"memory": {}, "persistent": {}},
        "created": 0,
        "joined": 0,
        "unstored": 0,
    }


def test_each_event_has_its_place() -> None:
    recorder = Recorder(TIERS)
    for number, event in enumerate((HITS, MISSES, PUTS, ERRORS, STALE, BACKFILLS), start=1):
        recorder.count_for("memory").counts[event] += number
    recorder.bump("joined")
    told = recorder.performance()
    named = [told[name]["memory"] for name in
             ("hits", "misses", "puts", "errors", "stale", "backfills")]  # fmt: skip
    assert named == [1, 2, 3, 4, 5, 6]
    assert told["hits"]["persistent"] == 0
    assert (told["joined"], told["created"]) == (1, 0)
    assert told["memory_hit_rate"] == pytest.approx(1 / 3, abs=0.01)


def test_totals_have_flat_names() -> None:
    recorder = Recorder(TIERS)
    recorder.count_for("persistent").counts[HITS] += 3
    recorder.bump("created")
    totals = recorder.totals()
    assert (totals["persistent.hits"], totals["memory.hits"], totals["cache.created"]) == (3, 0, 1)


def test_errors_and_latency_have_flat_names_too() -> None:
    recorder = Recorder(TIERS)
    count = recorder.count_for("persistent")
    for error in (TierBusy(), TierBusy(), TierUnavailable(), CorruptEntry()):
        count.failed(error)
    count.took("put", 3_000_000)
    assert recorder.details() == {
        "persistent.errors.busy": 2,
        "persistent.errors.unavailable": 1,
        "persistent.errors.failed": 1,
        "persistent.put.12": 1,
        "persistent.put.us": 3000,
    }
    assert recorder.totals()["persistent.errors"] == 4
    assert latencies_of(recorder.details(), "persistent") == {
        "put": {"p50_ms": 4.096, "p99_ms": 4.096}
    }


def test_switched_off_nothing_is_counted() -> None:
    recorder = Recorder(TIERS, enabled=False)
    recorder.count_for("memory").counts[HITS] += 1
    recorder.bump("created")
    assert recorder.performance() == Recorder(TIERS).performance()


def test_latency_is_told_in_milliseconds_by_operation() -> None:
    recorder = Recorder(TIERS)
    count = recorder.count_for("memory")
    for _ in range(98):
        count.took("get", 900_000)
    for _ in range(2):
        count.took("get", 10_000_000_000_000_000)
    told = recorder.performance()["latency"]["memory"]
    assert set(told) == {"get"}
    assert 0.9 <= told["get"]["p50_ms"] <= 2
    assert told["get"]["p99_ms"] > 1_000_000


@pytest.mark.parametrize(
    ("buckets", "share", "ms"),
    [
        ([], 0.5, 0.0),
        ([0] * 32, 0.5, 0.001),
        ([4, 0, 0], 0.99, 0.001),
        ([1, 0, 1], 0.5, 0.001),
        ([1, 0, 1], 0.99, 0.004),
    ],
)
def test_a_quantile_is_the_upper_end_of_its_bucket(
    buckets: list[int], share: float, ms: float
) -> None:
    assert quantile(buckets, share) == ms


def test_sixteen_threads_lose_no_count(
    in_threads: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    count = Recorder(TIERS).count_for("memory")

    def work(_: int) -> None:
        for _ in range(20_000):
            count.counts[HITS] += 1

    in_threads(16, work)
    assert count.counts[HITS] == 320_000


def test_no_counter_is_bumped_by_what_a_call_gives() -> None:
    """The count is read before the call, in which another thread may count: that would be lost."""
    bumps = [
        (path.name, node.lineno, any(isinstance(part, ast.Call) for part in ast.walk(node)))
        for path in Path(audiocache.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AugAssign) and "counts[" in ast.unparse(node.target)
    ]
    assert len(bumps) > 10
    assert [bump for bump in bumps if bump[2]] == []
