"""Which price holds for a call, and what a wrong row in settings is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tts.conf import TTSConfig
from tts.prices import LIST_PRICES, PriceTable, prices_in

NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)


def table(*rows: dict[str, Any]) -> PriceTable:
    return PriceTable(prices_in(list(rows)))


def rate(prices: PriceTable, model: str, at: int = NOON, voice: str = "") -> float | None:
    price = prices.price_of("acme", model, at, voice)
    return None if price is None else float(price.rate)


def test_a_price_changes_at_its_instant() -> None:
    prices = table(
        {"provider": "acme", "rate": 20},
        {"provider": "acme", "rate": 30, "since": "2026-11-22T12:00"},
        {"provider": "acme", "rate": 40, "since": "2027-01-01"},
    )
    assert rate(prices, "m1", NOON - 1) == 20
    assert rate(prices, "m1", NOON) == 30
    assert rate(prices, "m1", NOON + 100 * 86_400_000) == 40


def test_a_zone_may_be_said() -> None:
    prices = table({"provider": "acme", "rate": 1, "since": "2026-11-22T13:00+01:00"})
    assert (rate(prices, "m1", NOON - 1), rate(prices, "m1", NOON)) == (None, 1)


def test_what_is_said_of_a_name_comes_before_what_is_said_of_all() -> None:
    prices = table(
        {"provider": "acme", "model": "big", "voice": "nova", "rate": 4},
        {"provider": "acme", "model": "big", "rate": 3},
        {"provider": "acme", "model": "b*", "rate": 2, "since": "2026-11-01"},
        {"provider": "acme", "rate": 1, "since": "2026-11-20"},
    )
    assert rate(prices, "big", voice="nova") == 4
    assert [rate(prices, name) for name in ("big", "bulky", "small")] == [3, 2, 1]


def test_settings_come_before_the_list_and_the_list_is_an_estimate() -> None:
    prices = table({"provider": "openai", "model": "tts-1", "rate": 9, "since": "2026-11-22T12:00"})
    listed = prices.price_of("openai", "tts-1", NOON - 1)
    ours = prices.price_of("openai", "tts-1", NOON)
    assert listed
    assert ours
    assert (float(listed.rate), listed.estimated) == (15, True)
    assert (float(ours.rate), ours.estimated) == (9, False)
    assert prices.price_of("openai", "another", NOON) is None
    assert prices.price_of("nobody", "tts-1", NOON) is None


@pytest.mark.parametrize(
    ("provider", "model", "voice", "unit", "usd"),
    [
        ("elevenlabs", "eleven_multilingual_v2", "x", "characters", 80),
        ("elevenlabs", "eleven_flash_v2_5", "x", "characters", 40),
        ("openai", "tts-1-hd", "nova", "characters", 30),
        ("openai", "gpt-4o-mini-tts", "nova", "seconds", 250),
        ("azure", "", "en-US-AvaNeural", "characters", 15),
        ("google", "", "en-US-Neural2-C", "characters", 16),
        ("google", "", "en-US-Chirp3-HD-Kore", "characters", 30),
        ("polly", "long-form", "Ruth", "characters", 100),
    ],
)
def test_the_list(provider: str, model: str, voice: str, unit: str, usd: int) -> None:
    price = PriceTable().price_of(provider, model, NOON, voice)
    assert price is not None
    assert (price.unit, float(price.rate), price.estimated) == (unit, usd, True)


def test_a_cost_is_whole_millionths() -> None:
    [price] = prices_in([{"provider": "acme", "rate": "0.3"}])
    assert [price.cost(units) for units in (0, 1, 2, 5, 1_000_000)] == [0, 0, 1, 2, 300_000]
    assert all(listed.cost(1_000_000) == listed.rate * 1_000_000 for listed in LIST_PRICES)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("acme", "row 2: must be a dict, not str"),
        ({"rate": 1}, "row 2: provider must be text"),
        ({"provider": 5, "rate": 1}, "row 2: provider must be text"),
        ({"provider": "acme"}, "row 2: rate must be USD for a million units, from 0 to 1000000"),
        ({"provider": "acme", "rate": -1}, "row 2: rate must be USD"),
        ({"provider": "acme", "rate": True}, "row 2: rate must be USD"),
        ({"provider": "acme", "rate": "NaN"}, "row 2: rate must be USD"),
        ({"provider": "acme", "rate": 2e6}, "row 2: rate must be USD"),
        ({"provider": "acme", "rate": 1, "unit": "words"}, "row 2: unit must be one of"),
        ({"provider": "acme", "rate": 1, "since": "noon"}, "row 2: since must be a date such as"),
        ({"provider": "acme", "rate": 1, "model": 5}, "row 2: model must be text"),
        ({"provider": "acme", "rate": 1, "price": 5}, "row 2: 'price' is none of provider, model"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(row: Any, problem: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        TTSConfig.of_dict({"PRICES": [{"provider": "acme", "rate": 1}, row]})
    assert str(caught.value).startswith(f"TTS_PRICES: {problem}")


def test_in_the_environment_it_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_PRICES", json.dumps([{"provider": "acme", "rate": 7}]))
    [price] = TTSConfig.from_env().prices
    assert price.rate == 7
    for wrong in ("{", "7"):
        monkeypatch.setenv("TTS_PRICES", wrong)
        with pytest.raises(ImproperlyConfigured, match="TTS_PRICES: must be a"):
            TTSConfig.from_env()


def test_fallbacks_have_the_prices_of_the_service() -> None:
    given = {"PRICES": [{"provider": "a", "rate": 1}], "BUDGET_DAILY": 5, "FALLBACKS": ["tone"]}
    config = TTSConfig.of_dict({"PROVIDER": "openai", **given})
    theirs = config.with_fallback(config.fallbacks[0])
    assert (theirs.prices, theirs.budget_daily) == (config.prices, 5)
