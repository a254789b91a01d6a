"""What a run of warming would cost, for people and for scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from audiocache.management.output import Output
from tts import budget
from tts.budget import USD, Used
from tts.management.plan import Plan, shortfalls_of
from tts.management.progress import span
from tts.prices import CHARACTERS
from tts.quote import Quote, quote_of
from tts.service import TTSService


def tell(out: Output, plan: Plan, service: TTSService, namespace: str, *, as_json: bool) -> None:
    """Print the quote, and what would come in its way."""
    quote = quote_of(service, [phrase.request for phrase in plan.missing], namespace)
    used = budget.state(service.config)
    limits = [one for one in used if one.used + _more(quote, one) > one.limit]
    obstacles = [*map(_stop, limits), *shortfalls_of(service, plan)]
    if as_json:
        out.json(_data(plan, quote) | {"obstacles": obstacles})
        return
    out.facts("It would make", _facts(plan, quote))
    for obstacle in obstacles:
        out.line(f"{obstacle}.")
    if quote.unpriced:
        out.line("TTS_PRICES has no price for some of it: see docs/money.md.")


def _stop(limit: Used) -> str:
    return f"TTS_BUDGET_{limit.name.upper()} would stop it on the way"


def _data(plan: Plan, quote: Quote) -> dict[str, Any]:
    return {
        "missing": len(plan.missing),
        "already_stored": plan.stored,
        "duplicates": plan.duplicates,
        "over_limit": plan.later,
        **dataclasses.asdict(quote),
        "usd": quote.cost / USD,
        "seconds": round(quote.seconds, 1),
    }


def _facts(plan: Plan, quote: Quote) -> Iterator[tuple[str, object]]:
    yield "missing clips", len(plan.missing)
    yield "stored already", plan.stored
    yield "characters", quote.characters
    yield "paid calls", quote.calls
    if quote.unit not in {"", CHARACTERS}:
        yield f"billed {quote.unit}", quote.units
    yield "money", _money(quote)
    if quote.calls:
        yield "time", f"{span(quote.seconds)}, {_pace(quote)}"


def _money(quote: Quote) -> str:
    if quote.calls and quote.unpriced == quote.calls:
        return "not known"
    about = " (estimated: a list price, or a guess of units)" if quote.estimated else ""
    return f"{quote.cost / USD:,.2f} USD{about}"


def _pace(quote: Quote) -> str:
    how = "measured" if quote.measured else "assumed"
    return f"{quote.at_once} at once (TTS_MAX_CONCURRENT), {quote.seconds_a_call:.2g} s each, {how}"


def _more(quote: Quote, limit: Used) -> int:
    """What the run would add to what a limit counts."""
    return quote.characters if limit.name.endswith("characters") else quote.cost
