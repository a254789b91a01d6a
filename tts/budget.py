"""How much may be spent, by all processes together: warned of at 80 %, and kept at 100 %.

What is spent stands in the ledger; a call that has begun counts. The days are UTC's.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from django.dispatch import Signal

from audiocache.builder import get_audio_cache
from audiocache.charges import (
    NO_LIMIT,
    UNLIMITED,
    Limits,
    OverLimit,
    PaidCall,
    Spending,
    Sums,
    periods,
)
from audiocache.clock import now_ms
from audiocache.ledger import Ledger
from tts.conf import TTSConfig
from tts.exceptions import BudgetSpent

logger = logging.getLogger(__name__)

budget_unchecked = Signal()
"""`call`: it goes ahead although nobody can say what is spent. Its cost is owed to the ledger."""

USD: Final = 1_000_000
"""Amounts are millionths."""
WARNED_AT: Final = 0.8


class Used(NamedTuple):
    """One limit, and how much of it is used: characters, or millionths of a USD."""

    name: str
    """daily, monthly, daily_characters or monthly_characters, as in its setting."""
    used: int
    limit: int

    @property
    def ratio(self) -> float:
        """1.0: all of it."""
        return self.used / self.limit if self.limit else 1.0


class Budget:
    """The limits of an installation."""

    def __init__(self, config: TTSConfig) -> None:
        self.limits = Limits(
            _sums(config.budget_daily_characters, config.budget_daily),
            _sums(config.budget_monthly_characters, config.budget_monthly),
        )
        self._warned: set[tuple[str, str]] = set()

    @property
    def is_set(self) -> bool:
        """Is there a limit?"""
        return self.limits != UNLIMITED

    def begin(self, ledger: Ledger, call: PaidCall) -> None:
        """Write that a call begins. Raises BudgetSpent where it would pass a limit."""
        try:
            self._refuse_all(ledger, call)
            spending = ledger.begin(call, self.limits)
        except OverLimit as over:
            error = self._spent(over, call)
            self._say_once(ledger, f"spent_{over.period}", call.at, f"{error}")
            raise error from None
        if spending is not None and self.is_set:
            self._warn(ledger, spending, call.at)
        elif self.is_set:  # the ledger has said in the log what ails it
            budget_unchecked.send_robust(type(self), call=call)

    def state(self, spending: Spending) -> list[Used]:
        """Each limit that is set, and how much of it is used."""
        found = []
        for period, spent, most in zip(("daily", "monthly"), spending, self.limits, strict=True):
            names = (f"{period}_characters", period)
            pairs = zip(names, spent, most, NO_LIMIT, strict=True)
            found += [Used(name, used, limit) for name, used, limit, no in pairs if limit != no]
        return found

    def _refuse_all(self, ledger: Ledger, call: PaidCall) -> None:
        """A limit of 0 holds also for what nobody knows the price of. Raises OverLimit."""
        may_cost = Sums(call.characters, 1 if call.cost is None else call.cost)
        for period, most in zip(Limits._fields, self.limits, strict=True):
            if any(limit == 0 < one for one, limit in zip(may_cost, most, strict=True)):
                spending = ledger.spending(call.at) or Spending()
                raise OverLimit(period, getattr(spending, period))

    def _warn(self, ledger: Ledger, spending: Spending, at: int) -> None:
        for used in self.state(spending):
            if used.ratio >= WARNED_AT:
                message = f"{used.ratio:.0%} of TTS_BUDGET_{used.name.upper()} are spent"
                self._say_once(ledger, used.name, at, message)

    def _say_once(self, ledger: Ledger, name: str, at: int, message: str) -> None:
        """Once a day, of all processes."""
        day, _ = periods(at)
        if (name, day) not in self._warned:
            self._warned = {told for told in self._warned if told[1] == day} | {(name, day)}
            if ledger.once(f"budget.{name}", day):
                logger.warning("%s", message)

    def _spent(self, over: OverLimit, call: PaidCall) -> BudgetSpent:
        """The limit that the call would pass, in words."""
        most = self.limits.day if over.period == "day" else self.limits.month
        after = over.spent.characters + call.characters
        told = (
            f"{over.spent.characters} of {most.characters} characters"
            if after > most.characters
            else f"{over.spent.cost / USD:.2f} of {most.cost / USD:.2f} USD"
        )
        until = end_of(over.period, call.at)
        seconds = max(0.0, until.timestamp() - call.at / 1000)
        return BudgetSpent(
            f"the budget of this {over.period} is spent: {told}; paid calls go on at"
            f" {until:%Y-%m-%d %H:%M} UTC",
            retry_after=seconds,
        )


def end_of(period: str, at: int) -> datetime:
    """When the day or month of an instant ends."""
    day = datetime.fromtimestamp(at / 1000, tz=UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    if period == "day":
        return day + timedelta(days=1)
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def state(config: TTSConfig | None = None) -> list[Used]:
    """Of the process's settings; empty: there is no limit, or no telling."""
    budget = Budget(config or TTSConfig.load())
    ledger = Ledger.of(get_audio_cache().config) if budget.is_set else None
    spending = ledger.spending(now_ms()) if ledger else None
    return budget.state(spending) if spending else []


def _sums(characters: int | None, usd: float | None) -> Sums:
    return Sums(
        NO_LIMIT.characters if characters is None else characters,
        NO_LIMIT.cost if usd is None else round(usd * USD),
    )
