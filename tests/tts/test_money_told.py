"""What people are told of money: by the command, and by system checks."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import override_settings
from pytest_django import Settings

from audiocache.builder import replace_audio_cache
from audiocache.charges import periods
from audiocache.clock import DAY_MS, HOUR_MS, now_ms
from audiocache.models import Account, Count, Purchase, Spent
from audiocache.pulse import pulse
from tests.tts.databases import ALIASES
from tts.money_checks import check_budget, check_paid_again

CLIPS = 2_000
"""Bought lately: more than there is room for."""


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> Iterator[str]:
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": request.param}):
        former = replace_audio_cache(None)
        yield request.param
        if (made := replace_audio_cache(former)) is not None:
            made.close()
    pulse.stop()


@pytest.fixture
def month(alias: str) -> str:
    now = now_ms()
    hour = now - now % HOUR_MS
    names = {"resolution": "h", "period": hour, "provider": "acme", "outcome": "ok"}
    sums = {"calls": 2, "characters": 20}
    Account.objects.create(**names, **sums, cost=5_000_000, estimated=1_000_000)
    Account.objects.create(**names, **sums, cause="evicted", cost=2_500_000, age_ms=DAY_MS)
    Account.objects.create(**names, **sums, cause="expired", cost=1_250_000, age_ms=5 * DAY_MS)
    Account.objects.create(**names, **sums, cause="lost", unpriced=2)
    Count.objects.create(name="cache.saved", resolution="h", period=hour, value=12_345_678)
    Spent.objects.create(name=periods(now)[1], characters=80, cost=8_750_000)
    Purchase.objects.bulk_create(
        Purchase(source_key=str(n), first=now, paid=now, expires=now, size=10) for n in range(CLIPS)
    )
    return alias


def stats(*options: str) -> str:
    out = io.StringIO()
    call_command("audiocache", "stats", *options, stdout=out)
    return out.getvalue()


def test_stats_tells_of_money(month: str, settings: Settings) -> None:
    settings.TTS = {"PROVIDER": "tone", "BUDGET_MONTHLY": 10}
    lines = [line.strip() for line in stats().split("Money, ")[1].splitlines()]
    assert lines[0] == "the last 30 days, all processes:"
    told = dict(line.split("  ", 1) for line in lines[1:])
    assert {name: value.strip() for name, value in told.items()} == {
        "spent": "8.75 USD (1.00 USD of it by list prices)",
        "saved by hits": "12.35 USD",
        "calls, characters": "8, 80",
        "calls without a price": "2",
        "paid again: evicted": "2.50 USD, 2 calls",
        "paid again: expired": "1.25 USD, 2 calls",
        "paid again: lost": "0.00 USD, 2 calls",
        "TTS_BUDGET_MONTHLY": "88% used",
        "CACHE_TTL_HOURS 24 -> 144": "would have saved 1.25 USD",
        "CACHE_PERSISTENT_MAX_SIZE 1,000 -> 2,200": "would have saved 2.50 USD",
    }


def test_stats_tells_of_money_as_json(month: str) -> None:
    money = json.loads(stats("--json"))["money"]
    assert (money["spent"], money["saved"], money["unpriced"]) == (8_750_000, 12_345_678, 2)
    assert money["again"][0] == {"cause": "evicted", "calls": 2, "cost": 2_500_000}
    assert [one["setting"] for one in money["advice"]] == [
        "CACHE_TTL_HOURS", "CACHE_PERSISTENT_MAX_SIZE",
    ]  # fmt: skip
    assert money["budgets"] == []


def test_where_nothing_was_paid_nothing_is_told(alias: str) -> None:
    assert "Money" not in stats()
    with override_settings(AUDIOCACHE={"BACKEND": "memory"}):
        assert "money" not in json.loads(stats("--json"))


def test_a_check_says_which_setting_would_have_saved_how_much(month: str) -> None:
    found = run_checks(tags=["database"], databases=[month])
    told = {one.hint: one.msg for one in found if one.id == "tts.W013"}
    assert told == {
        "Set CACHE_TTL_HOURS to 144; it is 24. See docs/money.md.":
            "1.25 USD were paid again in 30 days for 2 clips that had expired.",
        "Set CACHE_PERSISTENT_MAX_SIZE to 2,200; it is 1,000. See docs/money.md.":
            "2.50 USD were paid again in 30 days for 2 clips that had been evicted.",
    }  # fmt: skip


def test_it_asks_no_database_that_it_was_not_told_to(month: str) -> None:
    assert check_paid_again(databases=["default"]) == check_paid_again() == []
    assert "tts.W013" not in [one.id for one in run_checks()]


OPENAI = {"PROVIDER": "openai", "API_KEY": "k", "MODEL": "tts-1", "VOICE": "nova"}


@pytest.mark.parametrize(
    ("tts", "cache", "expected"),
    [
        ({"BUDGET_DAILY": 5, **OPENAI}, {}, []),
        ({"BUDGET_DAILY": 5, **OPENAI}, {"BACKEND": "memory"}, ["tts.E011"]),
        (OPENAI, {"BACKEND": "memory"}, []),
        ({"BUDGET_DAILY": 5, **OPENAI, "BASE_URL": "https://own.example"}, {}, ["tts.W012"]),
        ({"BUDGET_DAILY_CHARACTERS": 5, **OPENAI, "BASE_URL": "https://own.example"}, {}, []),
        ({"BUDGET_DAILY": 5, "PROVIDER": "tone"}, {}, []),
        ({"BUDGET_DAILY": -5, "PROVIDER": "tone"}, {}, []),
        ({"BUDGET_DAILY": 5, "PROVIDER": "openai"}, {}, []),
    ],
)
def test_a_budget_can_be_kept(
    settings: Settings, tts: dict[str, Any], cache: dict[str, Any], expected: list[str]
) -> None:
    settings.TTS, settings.AUDIOCACHE = tts, cache
    assert [one.id for one in check_budget()] == expected
