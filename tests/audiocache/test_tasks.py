"""The Celery tasks and their schedule: one run at a time, no results, early expiry."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from audiocache import get_audio_cache, tasks, warmers
from audiocache.celery import CLEANUP, ROLLUP, WARM, beat_schedule
from audiocache.conf import CacheConfig

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])

TASKS = (tasks.cleanup_expired, tasks.warm, tasks.rollup_statistics)


def test_names_are_fixed_and_no_task_keeps_a_result() -> None:
    assert [task.name for task in TASKS] == [CLEANUP, WARM, ROLLUP]
    assert all(task.ignore_result for task in TASKS)


def test_a_run_that_has_not_begun_expires_before_the_next() -> None:
    schedule = beat_schedule(CacheConfig(cleanup_interval_minutes=5))
    assert set(schedule) == {CLEANUP, WARM, ROLLUP}
    assert schedule[CLEANUP]["schedule"] == 300
    for entry in schedule.values():
        assert 0 < entry["options"]["expires"] < entry["schedule"]


def test_without_warming_nothing_is_scheduled_to_warm() -> None:
    assert WARM not in beat_schedule(CacheConfig(enable_warming=False))


def test_the_clean_up_removes_what_has_expired() -> None:
    cache = get_audio_cache()
    cache.put("brief", b"sound", ttl_seconds=0.001)
    cache.put("long", b"sound")
    tasks.cleanup_expired.delay()
    assert cache.tiers["persistent"].stats()["entry_count"] == 1
    assert cache.has("long")


def test_a_second_run_at_the_same_time_does_nothing() -> None:
    cache = get_audio_cache()
    cache.put("brief", b"sound", ttl_seconds=0.2)
    time.sleep(0.2)
    with cache.turns.only_one(CLEANUP) as held:
        assert held
        tasks.cleanup_expired.delay()
        assert cache.tiers["persistent"].stats()["entry_count"] == 1
    tasks.cleanup_expired.delay()
    assert cache.tiers["persistent"].stats()["entry_count"] == 0


def test_the_warming_task_lets_every_warmer_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmers, "_warmers", {})
    warmers.register("mine", f"{__name__}.warm_one")
    tasks.warm.delay()
    assert get_audio_cache().get("warmed") == b"sound"


def test_switched_off_the_warming_task_does_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.AUDIOCACHE = {"ENABLE_WARMING": False}
    monkeypatch.setattr(warmers, "_warmers", {"mine": f"{__name__}.warm_one"})
    tasks.warm.delay()
    assert not get_audio_cache().has("warmed")


def test_the_roll_up_flushes_the_counters_first() -> None:
    cache = get_audio_cache()
    before = cache.get_installation_stats().get("memory.misses", 0)
    cache.get("missing")
    tasks.rollup_statistics.delay()
    assert cache.ladder.read_counts()["memory.misses"] == before + 1


def warm_one() -> int:
    """A warmer."""
    get_audio_cache().put("warmed", b"sound")
    return 1


def test_a_cache_without_a_database_makes_none_to_roll_up(tmp_path: Path, settings: Any) -> None:
    settings.AUDIOCACHE = {"BACKEND": "memory", "PERSISTENT_PATH": str(tmp_path / "cache")}
    tasks.rollup_statistics.delay()
    assert not (tmp_path / "cache").exists()
