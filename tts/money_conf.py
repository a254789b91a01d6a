"""The settings of money: what calls cost, how much may be spent, how long it is known."""

from __future__ import annotations

from dataclasses import dataclass

from audiocache.configuring import Config, number, optional, setting, whole
from tts.prices import Price, prices_in

MONEY: tuple[str, ...] = (
    "prices",
    "budget_daily",
    "budget_monthly",
    "budget_daily_characters",
    "budget_monthly_characters",
    "ledger_days",
)
"""They hold for a service with its fallbacks."""


@dataclass(frozen=True, kw_only=True)
class MoneySettings(Config):
    """A part of TTSConfig."""

    prices: tuple[Price, ...] = setting((), prices_in)
    """See `tts.prices`."""
    budget_daily: float | None = setting(None, optional(number(0)))
    """USD that all processes together may spend in a day (UTC); None: no limit."""
    budget_monthly: float | None = setting(None, optional(number(0)))
    budget_daily_characters: int | None = setting(None, optional(whole(0)))
    budget_monthly_characters: int | None = setting(None, optional(whole(0)))
    ledger_days: int = setting(400, whole(1, 36_500))
    """How long single charges are kept; their sums stay for three years."""
