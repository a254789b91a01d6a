"""Budgets over processes: exact, also when those who spend are killed; what is stored is served."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from prometheus_client import REGISTRY

from audiocache.cache import MultiTierAudioCache
from audiocache.charges import PaidCall, Spending, Sums
from audiocache.conf import CacheConfig
from audiocache.pulse import pulse
from tests.audiocache.conftest import ON_POSTGRESQL
from tests.factories import FakeClock
from tests.tts.databases import ALIASES
from tests.tts.doubles import LocalStub, StubProvider
from tests.tts.speakers import Speaker, site, speakers, together
from tests.tts.vendors import openai
from tests.tts.vendors.server import Heard, Server
from tts import budget, retry
from tts.api.problems import answer_to
from tts.budget import Budget, Used, budget_unchecked, end_of
from tts.conf import TTSConfig
from tts.exceptions import BudgetSpent, ProviderDown
from tts.service import TTSService
from tts.sharing import pack, unpack

LIMIT, PHRASES = 1_000, 33
"""Characters a day; and what each of four processes asks for, which together is more."""
UNCHECKED = "tts_budget_unchecked_calls_total"
WELCOME = len("Welcome.")
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=[ON_POSTGRESQL, pytest.mark.chaos]),
]


def phrases(process: int) -> list[str]:
    """Of eight characters each, as the greeting: so many of them are the limit exactly."""
    return [f"Say {process}{number:03}" for number in range(PHRASES)]


def characters(heard: list[Heard]) -> int:
    return sum(len(one.json()["input"]) for one in heard)


@pytest.mark.parametrize("kind", KINDS)
def test_four_processes_stop_at_the_limit_and_hits_go_on(
    kind: str, tmp_path: Path, django_db_setup: None
) -> None:
    """Must show 3."""
    with openai.server() as provider:
        alias = "audiocache_pg" if kind == "postgresql" else ""
        settings = site(tmp_path, provider, alias=alias, BUDGET_DAILY_CHARACTERS=LIMIT)
        with speakers(4, settings) as started:
            for place, speaker in enumerate(started):
                speaker.order(speak=phrases(place), threads=1, at=0.0)
            seen = [speaker.answer() for speaker in started]
            made = [text for one in seen for text in one["sounds"]]
            refused = sum(one["errors"].get("BudgetSpent ", 0) for one in seen)
            assert characters(provider.heard) == WELCOME * (1 + len(made)) == LIMIT
            assert len(made) + refused == 4 * PHRASES
            again = together(started, speak=made, threads=1)
            assert [(sorted(one["sounds"]), one["errors"]) for one in again] == [
                (sorted(made), {})
            ] * 4
            assert characters(provider.heard) == LIMIT


def test_a_killed_process_has_spent_what_it_began(tmp_path: Path) -> None:
    def silent(line: Any, heard: Heard) -> bool:
        if "killed" not in heard.json()["input"]:
            return openai.answer(line, heard)
        provider.closing.wait(20)
        return False

    with Server(silent) as provider:
        settings = site(tmp_path, provider, PRICES=[{"provider": "openai", "rate": 15}])
        speaker = Speaker(settings)
        try:
            speaker.order(speak=["It is killed."], threads=1)
            until = time.monotonic() + 30
            while not provider.heard and time.monotonic() < until:
                time.sleep(0.01)
            speaker.process.kill()
        finally:
            speaker.close()
        with speakers(1, settings):
            pass
    with closing(sqlite3.connect(tmp_path / "cache" / "audio_cache.db")) as file:
        charges = file.execute("SELECT outcome, units, cost FROM audiocache_charge ORDER BY at")
        assert charges.fetchall() == [("begun", 13, 195), ("ok", 8, 120)]
        spent = file.execute("SELECT characters, cost FROM audiocache_spent").fetchall()
        assert spent == [(21, 315)] * 2
        accounts = file.execute("SELECT SUM(calls), SUM(cost) FROM audiocache_account").fetchall()
        assert accounts == [(2, 315)]


@pytest.fixture(params=ALIASES)
def stored(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[MultiTierAudioCache]:
    cache = MultiTierAudioCache(CacheConfig(persistent_database=request.param), clock=clock)
    with retry.without_waits():
        yield cache
    cache.close()
    pulse.stop()
    connections[request.param].close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1_795_348_800_000)  # 2026-11-22, noon


class TestInOneProcess:
    def service(self, cache: MultiTierAudioCache, **settings: Any) -> TTSService:
        config = TTSConfig.of_dict(settings)
        return TTSService(config, cache=cache, provider=StubProvider(config))

    def test_who_may_not_pay_is_told_why_and_until_when(self, stored: MultiTierAudioCache) -> None:
        prices = [{"provider": "stub", "rate": 50_000}]
        service = self.service(stored, PRICES=prices, BUDGET_DAILY=1)
        assert service.synthesize_text_sync("Fifteen letters")
        with pytest.raises(BudgetSpent) as caught:
            service.synthesize_text_sync("Ten more..")
        assert str(caught.value) == (
            "the budget of this day is spent: 0.75 of 1.00 USD; "
            "paid calls go on at 2026-11-23 00:00 UTC"
        )
        assert caught.value.retry_after == 12 * 3600
        assert service.synthesize_text_sync("Fifteen letters")
        assert service.synthesize_text_sync("Five!")

    def test_a_failure_gives_back_what_it_had_taken(self, stored: MultiTierAudioCache) -> None:
        service = self.service(stored, BUDGET_MONTHLY_CHARACTERS=10)
        provider = service.provider
        assert isinstance(provider, StubProvider)
        provider.error = ProviderDown("no", provider="stub", status=500)
        with pytest.raises(ProviderDown):
            service.synthesize_text_sync("Ten chars.")
        provider.error = None
        assert service.synthesize_text_sync("Ten chars.")
        assert len(provider.calls) == 4

    def test_a_call_that_nobody_can_check_is_made_and_counted(
        self, stored: MultiTierAudioCache, unchecked: list[PaidCall]
    ) -> None:
        alias = stored.config.persistent_database
        service = self.service(stored, BUDGET_DAILY_CHARACTERS=10)
        told = REGISTRY.get_sample_value(UNCHECKED) or 0.0
        service.synthesize_text_sync("Ten chars.")
        with without_sums(alias or ""):
            assert service.synthesize_text_sync("Ten more..")
        assert [call.characters for call in unchecked] == [10]
        assert REGISTRY.get_sample_value(UNCHECKED) == told + 1

    def test_the_next_day_has_a_budget_of_its_own(
        self, stored: MultiTierAudioCache, clock: FakeClock
    ) -> None:
        service = self.service(stored, BUDGET_DAILY_CHARACTERS=10)
        service.synthesize_text_sync("Ten chars.")
        with pytest.raises(BudgetSpent):
            service.synthesize_text_sync("Ten more..")
        clock.now += 12 * 3_600_000
        assert service.synthesize_text_sync("Ten more..")

    def test_it_is_warned_of_once_a_day(
        self, stored: MultiTierAudioCache, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        services = [self.service(stored, BUDGET_MONTHLY_CHARACTERS=20) for _ in range(2)]
        services[0].synthesize_text_sync("Ten chars.")
        assert caplog.messages == []
        with caplog.at_level(logging.WARNING, "tts.budget"):
            services[0].synthesize_text_sync("Sixes.")
            services[1].synthesize_text_sync("Two")
            assert caplog.messages == ["80% of TTS_BUDGET_MONTHLY_CHARACTERS are spent"]
            clock.now += 24 * 3_600_000
            services[1].synthesize_text_sync("!")
        assert caplog.messages[1:] == ["100% of TTS_BUDGET_MONTHLY_CHARACTERS are spent"]

    @pytest.mark.parametrize("name", ["BUDGET_DAILY", "BUDGET_MONTHLY"])
    def test_none_at_all_holds_for_what_nobody_knows_the_price_of(
        self, stored: MultiTierAudioCache, name: str
    ) -> None:
        with pytest.raises(BudgetSpent, match=r"spent: 0\.00 of 0\.00 USD"):
            self.service(stored, **{name: 0, "PRICES": []}).synthesize_text_sync("Ten chars.")
        assert self.service(stored, **{name: 1, "PRICES": []}).synthesize_text_sync("Ten chars.")

    def test_a_voice_of_this_machine_speaks_instead(self, stored: MultiTierAudioCache) -> None:
        given = {"BUDGET_DAILY_CHARACTERS": 0, "FALLBACKS": ["tone"]}
        service = self.service(stored, **given)
        spoken = service.synthesize_sync(_request("Ten chars."))
        assert (spoken.fallback, spoken.provider) == (True, "tone")

    def test_a_voice_of_this_machine_costs_nothing(self, stored: MultiTierAudioCache) -> None:
        config = TTSConfig(budget_daily_characters=0)
        service = TTSService(config, cache=stored, provider=LocalStub(config))
        assert service.synthesize_text_sync("Ten chars.")


@contextmanager
def without_sums(alias: str) -> Iterator[None]:
    """The table of what is spent is not where it was."""
    there, away = "audiocache_spent", "audiocache_spent_away"
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {there} RENAME TO {away}")
        yield
        cursor.execute(f"ALTER TABLE {away} RENAME TO {there}")


@pytest.fixture
def unchecked() -> Iterator[list[PaidCall]]:
    """Calls of which that is told."""
    calls: list[PaidCall] = []

    def note(call: PaidCall, **_: Any) -> None:
        calls.append(call)

    budget_unchecked.connect(note)
    yield calls
    budget_unchecked.disconnect(note)


def _request(text: str) -> Any:
    from tts.speech import SpeechRequest

    return SpeechRequest(text)


def test_over_http_it_is_openais_error_and_asking_again_is_useless() -> None:
    answer = answer_to(BudgetSpent("the budget of this day is spent", retry_after=5.5))
    assert (answer.status_code, answer["x-should-retry"], answer["Retry-After"]) == (
        429, "false", "6",
    )  # fmt: skip
    assert b'"insufficient_quota"' in answer.content


def test_other_processes_hear_of_it_as_it_is() -> None:
    error = unpack(pack(BudgetSpent("spent", retry_after=7.0)))
    assert isinstance(error, BudgetSpent)
    assert (str(error), error.retry_after) == ("spent", 7.0)


def test_the_state_is_of_those_that_are_set() -> None:
    budget_ = Budget(TTSConfig(budget_daily=2, budget_monthly_characters=0))
    spending = Spending(Sums(10, 500_000), Sums(20, 900_000))
    found = budget_.state(spending)
    assert found == [Used("daily", 500_000, 2_000_000), Used("monthly_characters", 20, 0)]
    assert [used.ratio for used in found] == [0.25, 1.0]
    assert budget.state(TTSConfig()) == []


def test_the_end_of_a_month() -> None:
    december = 1_798_700_000_000  # 2026-12-31
    assert f"{end_of('month', december):%Y-%m-%d %H:%M}" == "2027-01-01 00:00"
    assert f"{end_of('day', december):%Y-%m-%d}" == "2027-01-01"
