"""What the doctor finds of money, and that it finds nothing once that is mended."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import connections
from pytest_django import Settings

from audiocache.charges import PaidCall, new_call
from audiocache.clock import now_ms
from audiocache.doctor.findings import Finding
from audiocache.doctor.rounds import examine
from audiocache.ledger import Ledger
from tests.tts.databases import ALIASES

DAY_MS = 86_400_000


@pytest.fixture(params=ALIASES)
def ledger(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Ledger]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": request.param}
    settings.TTS = {"PROVIDER": "tone"}
    yield Ledger(request.param)
    connections[request.param].close()


def found(*names: str) -> list[Finding]:
    return [finding for finding in examine().findings if finding.name in names]


def paid(**given: object) -> PaidCall:
    """Of 100 characters and 0.0015 USD."""
    told = {
        "call": new_call(), "at": now_ms(), "source_key": uuid4().hex, "namespace": "",
        "provider": "openai", "model": "m2", "voice": "nova", "number": 1, "units": 100,
        "unit": "characters", "characters": 100, "cost": 1500, "estimated": False, **given,
    }  # fmt: skip
    return PaidCall(**told)  # type: ignore[arg-type]


def buy(ledger: Ledger, call: PaidCall) -> None:
    ledger.begin(call)
    ledger.settle(call, call._replace(outcome="ok"))


def test_a_ledger_in_order_has_no_finding(ledger: Ledger, settings: Settings) -> None:
    settings.TTS |= {"BUDGET_DAILY": 1.0, "BUDGET_MONTHLY_CHARACTERS": 1_000}
    buy(ledger, paid())
    assert {"prices", "budget"} <= set(examine().examined)
    assert found("prices", "budget", "calls") == []


def test_a_list_price_is_a_price_unless_another_server_answers(
    ledger: Ledger, settings: Settings
) -> None:
    buy(ledger, paid(cost=None, model="tts-1"))
    assert found("prices") == []
    own = {"PROVIDER": "openai", "API_KEY": "k", "BASE_URL": "http://own.example/v1"}
    settings.TTS = own
    [finding] = found("prices")
    assert "openai tts-1" in finding.what


def test_billed_calls_without_a_price_are_named_until_there_is_one(
    ledger: Ledger, settings: Settings
) -> None:
    for voice in ("nova", "echo"):
        buy(ledger, paid(cost=None, voice=voice))
    buy(ledger, paid(cost=None, model="long ago", at=now_ms() - 9 * DAY_MS))
    [finding] = found("prices")
    assert finding.what == "2 billed calls of the last seven days have no price: openai m2."
    assert "{'provider': 'openai', 'model': 'm2', 'rate': ...}" in finding.mend
    for number in range(12):
        buy(ledger, paid(cost=None, model=f"invented {number}"))
    assert len(found("prices")) == 10
    settings.TTS |= {"PRICES": [{"provider": "openai", "rate": 15}]}
    assert found("prices") == []


def test_a_budget_that_is_spent_is_named_until_it_is_raised(
    ledger: Ledger, settings: Settings
) -> None:
    settings.TTS |= {"BUDGET_DAILY": 0.0015, "BUDGET_DAILY_CHARACTERS": 126}
    assert found("budget") == []
    buy(ledger, paid())
    [finding] = found("budget")
    assert finding.what == "100% of TTS_BUDGET_DAILY are spent."
    assert finding.mend.startswith("Raise TTS_BUDGET_DAILY, or wait: it begins anew at ")
    settings.TTS |= {"BUDGET_MONTHLY_CHARACTERS": 100}
    assert [one.what[:34] for one in found("budget")] == [
        "100% of TTS_BUDGET_DAILY are spent",
        "100% of TTS_BUDGET_MONTHLY_CHARACT",
    ]
    settings.TTS |= {"BUDGET_DAILY": 1.0, "BUDGET_MONTHLY_CHARACTERS": 1_000}
    assert found("budget") == []
