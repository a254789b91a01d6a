"""What the doctor asks of money: calls without a price, and budgets that end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from audiocache.charges import Spending, Sums, periods
from audiocache.clock import DAY_MS
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding
from tts.accounts import HOURS
from tts.budget import WARNED_AT, Budget, Used, end_of
from tts.conf import TTSConfig
from tts.prices import ANY, LIST_PRICES, PriceTable

LATELY_MS: Final = 7 * DAY_MS
SHOWN: Final = 10
"""Models at most: clients of the HTTP API may name them as they like."""
_UNPRICED: Final = """
    SELECT provider, model, voice, SUM(unpriced) FROM audiocache_account
    WHERE resolution = ? AND period >= ? AND unpriced > 0
    GROUP BY provider, model, voice ORDER BY provider, model, voice
"""
_SPENT: Final = "SELECT characters, cost FROM audiocache_spent WHERE name = ?"


def prices(case: Case) -> Iterator[Finding]:
    """Billed calls of the last seven days that cost 0 in the sums, and would again."""
    for (provider, model), number in _unpriced(case).most_common(SHOWN):
        row = f"{{'provider': '{provider}', 'model': '{model or ANY}', 'rate': ...}}"
        yield Finding(
            "prices",
            f"{number:,} billed calls of the last seven days have no price: {provider} {model}.",
            "They cost 0 in every sum, and no budget in USD stops them.",
            f"Add to TTS_PRICES: {row} (USD for a million characters).",
        )


def _unpriced(case: Case) -> Counter[tuple[str, str]]:
    """Calls by provider and model, without those that have a price by now."""
    table, calls = _table(TTSConfig.load()), Counter[tuple[str, str]]()
    rows = case.sight.rows(_UNPRICED, [HOURS, case.now - LATELY_MS])
    for provider, model, voice, number in rows:
        if table.price_of(provider, model, case.now, voice) is None:
            calls[provider, model] += int(number)
    return calls


def _table(config: TTSConfig) -> PriceTable:
    """As it prices calls: those who answer at an address of the site's have no list price."""
    elsewhere = {one.provider for one in (config, *config.fallbacks) if one.base_url}
    return PriceTable(config.prices, [row for row in LIST_PRICES if row.provider not in elsewhere])


def budget(case: Case) -> Iterator[Finding]:
    """Limits of which 80 % and more are spent."""
    limits = Budget(TTSConfig.load())
    if not limits.is_set:
        return
    spending = Spending(*(_spent(case, name) for name in periods(case.now)))
    for used in limits.state(spending):
        if used.ratio >= WARNED_AT:
            yield _spends(used, case.now)


def _spent(case: Case, name: str) -> Sums:
    found = case.sight.rows(_SPENT, [name])
    return Sums(*map(int, found[0])) if found else Sums()


def _spends(used: Used, now: int) -> Finding:
    name = f"TTS_BUDGET_{used.name.upper()}"
    until = end_of("day" if used.name.startswith("daily") else "month", now)
    return Finding(
        "budget",
        f"{used.ratio:.0%} of {name} are spent.",
        "A call that would pass a limit is not made; what is stored is served on.",
        f"Raise {name}, or wait: it begins anew at {until:%Y-%m-%d %H:%M} UTC.",
    )
