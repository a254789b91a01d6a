"""Counts calls as they end and as they are accounted for: they are rare enough for that."""

from __future__ import annotations

from typing import Final

from audiocache.cache import MultiTierAudioCache
from audiocache.charges import CAUSES, PaidCall
from audiocache.metrics.publishing import publisher, writing
from tts import budget
from tts.attempts import Attempt
from tts.budget import USD
from tts.metrics.families import (
    BILLED,
    BUDGET,
    CALLS,
    DURATION,
    PAID_AGAIN,
    SAVED,
    SPENT,
    UNCHECKED,
    WAITERS,
)

MOST: Final = 100
"""Pairs of provider and model: clients of the HTTP API may name models as they like."""
OTHER: Final = "other"

_known: Final[set[tuple[str, str]]] = set()


def count(attempt: Attempt) -> None:
    """One call that has ended."""
    labels = _labels(attempt.provider, attempt.model or "")
    with writing:
        CALLS.labels(*labels, attempt.outcome).inc()
        DURATION.labels(*labels).observe(attempt.latency_ms / 1000)


def account(call: PaidCall) -> None:
    """What a call has cost, as it stands in the ledger."""
    with writing:
        SPENT.inc((call.cost or 0) / USD)
        if call.billed:
            BILLED.labels(*_labels(call.provider, call.model)).inc(call.characters)
        if call.cause:
            PAID_AGAIN.labels(call.cause).inc()


def unchecked() -> None:
    """A call that no budget could be asked about."""
    with writing:
        UNCHECKED.inc()


def _labels(provider: str, model: str) -> tuple[str, str]:
    pair = provider, model
    if pair not in _known and len(_known) >= MOST:
        return provider, OTHER
    _known.add(pair)
    return pair


def _look(cache: MultiTierAudioCache) -> None:
    with writing:
        WAITERS.set(cache.flights.waiting)


def _look_at_budget(_: MultiTierAudioCache) -> None:
    ratio = max((limit.ratio for limit in budget.state()), default=0.0)
    with writing:
        BUDGET.set(ratio)


def _save(millionths: float) -> None:
    SAVED.inc(millionths / USD)


for cause in CAUSES:
    PAID_AGAIN.labels(cause)  # there from the beginning, with 0
publisher.counters["cache.saved"] = _save
SAVED.refresh = publisher.count
publisher.gauges += [_look, _look_at_budget]
WAITERS.refresh = BUDGET.refresh = publisher.look
