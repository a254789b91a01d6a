"""Hours become days, and days of long ago are forgotten."""

from __future__ import annotations

import sqlite3

import pytest
from django.db import connections
from pytest_django import Settings

from audiocache.clock import DAY_MS
from audiocache.database import default_alias
from audiocache.models import Account, CallLatency, Count
from audiocache.rollup import KEEP_DAYS, KEEP_HOURS_DAYS, roll_up

HOUR_MS = 3_600_000
TODAY = 20_000 * DAY_MS
OLD = TODAY - (KEEP_HOURS_DAYS + 3) * DAY_MS

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])


def count(resolution: str, period: int, value: int = 1, name: str = "memory.hits") -> None:
    Count.objects.create(name=name, resolution=resolution, period=period, value=value)


def rows(resolution: str) -> list[tuple[str, int, int]]:
    found = Count.objects.filter(resolution=resolution).order_by("period", "name")
    return [(row.name, row.period, row.value) for row in found]


def test_old_hours_are_folded_into_their_days_and_new_ones_stay() -> None:
    old = TODAY - (KEEP_HOURS_DAYS + 1) * DAY_MS
    for hour in range(24):
        count("h", old + hour * HOUR_MS, value=2)
    count("h", old, value=5, name="memory.misses")
    count("h", TODAY - HOUR_MS, value=7)
    count("a", 0, value=100)
    assert roll_up(TODAY + 5) == 25
    assert rows("d") == [("memory.hits", old, 48), ("memory.misses", old, 5)]
    assert rows("h") == [("memory.hits", TODAY - HOUR_MS, 7)]
    assert rows("a") == [("memory.hits", 0, 100)]


def test_run_again_nothing_is_folded_twice_and_late_hours_are_added() -> None:
    old = TODAY - (KEEP_HOURS_DAYS + 1) * DAY_MS
    count("h", old, value=2)
    assert (roll_up(TODAY), roll_up(TODAY)) == (1, 0)
    count("h", old + HOUR_MS, value=3)
    assert roll_up(TODAY) == 1
    assert rows("d") == [("memory.hits", old, 5)]


def test_days_of_long_ago_are_forgotten() -> None:
    count("d", TODAY - (KEEP_DAYS + 1) * DAY_MS)
    count("d", TODAY - KEEP_DAYS * DAY_MS)
    roll_up(TODAY)
    assert len(rows("d")) == 1


def test_more_hours_than_a_statement_takes_values_are_folded() -> None:
    connection = connections[default_alias()]
    for hour in range(60):
        Count.objects.bulk_create(
            Count(name=f"n{n}", resolution="h", period=OLD + hour * HOUR_MS, value=1)
            for n in range(5)
        )
    before = connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100)
    try:
        assert roll_up(TODAY) == 300
    finally:
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)
    assert rows("h") == []
    assert sum(value for _, _, value in rows("d")) == 300


ALIASES = [
    pytest.param(name, marks=pytest.mark.django_db(transaction=True, databases=["default", name]))
    for name in ("audiocache", "audiocache_pg")
]


@pytest.mark.parametrize("alias", ALIASES)
def test_accounts_become_days_as_well(alias: str, settings: Settings) -> None:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": alias}
    names = {"provider": "acme", "model": "m", "voice": "v", "outcome": "ok"}
    sums = {"calls": 1, "units": 10, "characters": 10, "cost": 150, "estimated": 5, "unpriced": 1}
    for hour in range(3):
        Account.objects.create(
            resolution="h", period=OLD + hour * HOUR_MS, age_ms=hour, **names, **sums
        )
        CallLatency.objects.create(
            resolution="h", period=OLD + hour * HOUR_MS, provider="acme", bucket=hour // 2, calls=4
        )
    Account.objects.create(resolution="h", period=OLD, cause="lost", **names, **sums)
    Account.objects.create(resolution="h", period=TODAY, **names, **sums)
    Account.objects.create(resolution="d", period=OLD, age_ms=9, **names, **sums)
    Account.objects.create(resolution="d", period=TODAY - (KEEP_DAYS + 1) * DAY_MS, **names)
    assert (roll_up(TODAY), roll_up(TODAY)) == (7, 0)
    days = Account.objects.filter(resolution="d").order_by("cause")
    assert [(day.period, day.cause, day.calls, day.cost, day.age_ms) for day in days] == [
        (OLD, "", 4, 600, 9),
        (OLD, "lost", 1, 150, 0),
    ]
    assert days[0].units == days[0].characters == 40
    assert (days[0].estimated, days[0].unpriced) == (20, 4)
    latencies = CallLatency.objects.order_by("bucket")
    assert [(row.resolution, row.period, row.bucket, row.calls) for row in latencies] == [
        ("d", OLD, 0, 8),
        ("d", OLD, 1, 4),
    ]
    assert Account.objects.filter(resolution="h").count() == 1
