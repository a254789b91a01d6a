"""Calls to providers are counted as they end, and those who wait while they do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from audiocache import get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.charges import Bought, PaidCall, Spending, Sums, new_call
from audiocache.clock import now_ms
from audiocache.ledger import Ledger
from audiocache.pulse import pulse
from audiocache.testing import override_speech
from tests.audiocache.conftest import database_mark
from tts import get_tts_service
from tts.attempts import Attempt
from tts.metrics import counting, on_attempt

PAIR = {"provider": "openai", "model": "tts-1"}


def attempt(**given: object) -> Attempt:
    told = {
        "voice": "nova", "outcome": "ok", "status": None, "latency_ms": 300,
        "billed_units": 12, "number": 1, "source_key": "00" * 32, **PAIR, **given,
    }  # fmt: skip
    return Attempt(**told)  # type: ignore[arg-type]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_known", set())


@pytest.mark.usefixtures("fresh")
def test_a_call_is_counted_by_how_it_ended() -> None:
    before = [value("tts_provider_calls_total", outcome=how, **PAIR) for how in ("ok", "not_audio")]
    seconds = value("tts_provider_duration_seconds_sum", **PAIR)
    on_attempt(attempt=attempt())
    on_attempt(attempt=attempt(outcome="not_audio", latency_ms=1200, billed_units=None, number=2))
    after = [value("tts_provider_calls_total", outcome=how, **PAIR) for how in ("ok", "not_audio")]
    assert after == [before[0] + 1, before[1] + 1]
    assert value("tts_provider_duration_seconds_sum", **PAIR) == pytest.approx(seconds + 1.5)


def paid(at: int, **given: object) -> PaidCall:
    told = {
        "call": new_call(), "at": at, "source_key": uuid4().hex, "namespace": "", "voice": "nova",
        "number": 1, "units": 100, "unit": "characters", "characters": 100, "cost": 1500,
        "estimated": False, **PAIR, **given,
    }  # fmt: skip
    return PaidCall(**told)  # type: ignore[arg-type]


@database_mark("audiocache")
@pytest.mark.usefixtures("fresh")
def test_money_is_what_the_ledger_wrote() -> None:
    ledger = Ledger("audiocache", clock=lambda: 9_000)
    names = ("tts_spent_dollars_total", "tts_billed_characters_total", "tts_paid_again_total")
    labels: list[dict[str, str]] = [{}, PAIR, {"cause": "expired"}]

    def now() -> list[float]:
        return [value(name, **given) for name, given in zip(names, labels, strict=True)]

    before = now()
    first = paid(1_000)
    ledger.begin(first)
    assert now() == before
    ended = first._replace(outcome="ok", characters=120, units=120, cost=1800)
    for _ in range(2):  # told twice, it is written once
        ledger.settle(first, ended, Bought(size=5, expires=2_000))
    again = paid(3_000, source_key=first.source_key)
    ledger.begin(again)
    ledger.settle(again, again._replace(outcome="ok"), Bought(size=5, expires=9_000))
    failed = paid(4_000)
    ledger.begin(failed)
    free = failed._replace(outcome="rate_limited", billed=False, cost=0, characters=0, units=0)
    ledger.settle(failed, free)
    after = [new - old for new, old in zip(now(), before, strict=True)]
    assert after == pytest.approx([0.0033, 220, 1])
    assert ledger.spending(5_000) == Spending(Sums(220, 3300), Sums(220, 3300))


@pytest.fixture
def built(settings: Settings) -> Iterator[None]:
    """The process's cache is there: a scrape builds none."""
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": "audiocache"}
    cache = get_audio_cache()
    yield
    replace_audio_cache(None)
    cache.close()
    pulse.stop()


@database_mark("audiocache")
@pytest.mark.usefixtures("fresh", "built")
def test_the_ratio_is_that_of_the_budget_of_which_most_is_spent(settings: Settings) -> None:
    settings.TTS = {"PROVIDER": "tone"}
    assert value("tts_budget_used_ratio") == 0
    settings.TTS |= {"BUDGET_DAILY_CHARACTERS": 400, "BUDGET_MONTHLY": 1.0}
    assert value("tts_budget_used_ratio") == 0
    Ledger("audiocache").begin(paid(now_ms()))  # 100 characters, 0.0015 USD
    assert value("tts_budget_used_ratio") == 0.25
    settings.TTS |= {"BUDGET_MONTHLY": 0.002}
    assert value("tts_budget_used_ratio") == 0.75


@pytest.mark.usefixtures("fresh")
def test_names_that_clients_invent_make_no_more_than_so_many_series() -> None:
    for number in range(counting.MOST + 20):
        on_attempt(attempt=attempt(model=f"invented {number}"))
    on_attempt(attempt=attempt(model="invented 3"))
    assert value("tts_provider_calls_total", provider="openai", model="other", outcome="ok") >= 20
    names = {"provider": "openai", "outcome": "ok"}
    assert value("tts_provider_calls_total", model="invented 3", **names) >= 2
    assert not value("tts_provider_calls_total", model=f"invented {counting.MOST}", **names)


def test_those_who_wait_for_anothers_call_are_seen_and_gone_afterwards() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def make() -> bytes:
        begun.set()
        assert go_on.wait(20)
        return b"sound"

    with override_speech(), ThreadPoolExecutor(4) as pool:
        cache = get_audio_cache()
        leader = pool.submit(cache.get_or_create, "slow", make)
        assert begun.wait(20)
        others = [pool.submit(cache.get_or_create, "slow", make) for _ in range(3)]
        for _ in range(2000):
            if value("tts_flight_waiters") == 3:
                break
            threading.Event().wait(0.01)
        seen = value("tts_flight_waiters")
        go_on.set()
        assert {one.result() for one in (leader, *others)} == {b"sound"}
        assert (seen, value("tts_flight_waiters")) == (3, 0)


def test_speaking_counts_its_call() -> None:
    labels = {"provider": "test", "model": "", "outcome": "ok"}
    with override_speech() as speech:
        get_tts_service().synthesize_text_sync("counted")
        get_tts_service().synthesize_text_sync("counted")
        assert len(speech.calls) == 1
    found = [
        sample
        for family in REGISTRY.collect()
        if family.name == "tts_provider_calls"
        for sample in family.samples
    ]
    assert found
    assert labels.keys() == found[0].labels.keys()
    assert all("counted" not in str(sample.labels) for sample in found)
