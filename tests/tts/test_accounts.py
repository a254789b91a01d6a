"""The accounts as people read them: sums of hours and days, and nothing added up twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from audiocache.clock import DAY_MS, HOUR_MS
from audiocache.models import Account, CallLatency, Count
from tests.tts.databases import ALIASES
from tts import accounts
from tts.accounts import Again, Line

TODAY = 20_000 * DAY_MS
OF_ONE_VOICE = {"provider": "acme", "model": "m1", "voice": "alto", "outcome": "ok"}


@pytest.fixture(params=ALIASES, autouse=True)
def alias(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": request.param}):
        yield request.param


def account(period: int, resolution: str = "h", **fields: Any) -> None:
    values = {**OF_ONE_VOICE, "calls": 1, "units": 10, "characters": 10, "cost": 150, **fields}
    Account.objects.create(resolution=resolution, period=period, **values)


def saved(period: int, value: int, resolution: str = "h") -> None:
    Count.objects.create(name="cache.saved", resolution=resolution, period=period, value=value)


def test_nothing_was_paid() -> None:
    found = accounts.summary()
    assert (found.spent, found.saved, found.calls, found.again, found.paid_again) == (
        0, 0, 0, [], 0,
    )  # fmt: skip


def test_hours_and_the_days_that_hours_became_are_one_account() -> None:
    account(TODAY - 20 * DAY_MS, "d", calls=40, units=400, characters=400, cost=6_000)
    account(TODAY, estimated=150)
    account(TODAY + HOUR_MS, outcome="not_audio", unpriced=1)
    [refused, fine] = accounts.lines()
    assert fine == Line("acme", "m1", "alto", "ok", 41, 410, 410, 6_150, 150, 0)
    assert (refused.outcome, refused.unpriced) == ("not_audio", 1)
    assert accounts.lines(TODAY, TODAY + HOUR_MS) == [fine._replace(
        calls=1, units=10, characters=10, cost=150
    )]  # fmt: skip


def test_the_summary_has_everything() -> None:
    account(TODAY, cause="expired", cost=100)
    account(TODAY, cause="evicted", cost=900, calls=3)
    account(TODAY, outcome="begun", calls=2, cost=7)
    saved(TODAY, 5_000)
    Count.objects.create(name="cache.saved", resolution="a", period=0, value=5_000)
    Count.objects.create(name="memory.hits", resolution="h", period=TODAY, value=9)
    found = accounts.summary(TODAY)
    assert (found.spent, found.saved, found.calls, found.begun) == (1_007, 5_000, 6, 2)
    assert found.again == [Again("evicted", 3, 900), Again("expired", 1, 100)]
    assert found.paid_again == 1_000


def test_latencies_are_buckets() -> None:
    of_one_model = {"provider": "acme", "model": "m1", "bucket": 18}
    CallLatency.objects.create(resolution="h", period=TODAY, calls=2, **of_one_model)
    CallLatency.objects.create(resolution="d", period=TODAY - 20 * DAY_MS, calls=3, **of_one_model)
    [(model, buckets)] = accounts.latencies().items()
    assert (model, buckets[18], sum(buckets)) == (("acme", "m1"), 5, 5)


def test_without_a_database_there_are_no_accounts() -> None:
    with override_settings(AUDIOCACHE={"BACKEND": "memory"}):
        assert not accounts.is_kept()
        assert accounts.summary().calls == 0
