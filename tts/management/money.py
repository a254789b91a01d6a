"""Money in `manage.py audiocache stats`: the last thirty days, and what would have saved more."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from audiocache.clock import now_ms
from audiocache.management.figures import Figures
from tts import accounts, budget
from tts.advice import SPAN_MS, Advice, advice
from tts.budget import USD, Used


def figures() -> Figures | None:
    """None where no accounts are kept, or the database does not answer."""
    try:
        if not accounts.is_kept():
            return None
        found = accounts.summary(now_ms() - SPAN_MS)
        wiser, used = advice(), budget.state()
    except (DatabaseError, OSError, ImproperlyConfigured):
        return None
    data = {
        **found._asdict(),
        "again": [again._asdict() for again in found.again],
        "budgets": [{**one._asdict(), "ratio": one.ratio} for one in used],
        "advice": [one._asdict() for one in wiser],
    }
    facts = [*_facts(found), *_budgets(used), *_advice(wiser)]
    return Figures("Money, the last 30 days, all processes", data, facts if found.calls else [])


def dollars(millionths: int) -> str:
    """Such as 12.34 USD."""
    return f"{millionths / USD:,.2f} USD"


def _facts(found: accounts.Summary) -> Iterator[tuple[str, object]]:
    guess = f" ({dollars(found.estimated)} of it by list prices)" if found.estimated else ""
    yield "spent", dollars(found.spent) + guess
    yield "saved by hits", dollars(found.saved)
    yield "calls, characters", f"{found.calls:,}, {found.characters:,}"
    if found.unpriced:
        yield "calls without a price", found.unpriced
    for again in found.again:
        yield f"paid again: {again.cause}", f"{dollars(again.cost)}, {again.calls:,} calls"


def _budgets(used: list[Used]) -> Iterator[tuple[str, object]]:
    for one in used:
        yield f"TTS_BUDGET_{one.name.upper()}", f"{one.ratio:.0%} used"


def _advice(found: list[Advice]) -> Iterator[tuple[str, object]]:
    for one in found:
        yield f"{one.setting} {one.now:,} -> {one.value:,}", f"would have saved {dollars(one.cost)}"
