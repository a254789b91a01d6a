"""Counts calls as they end, and looks at who waits: a paid call is rare enough for that."""

from __future__ import annotations

from typing import Final

from audiocache.cache import MultiTierAudioCache
from audiocache.metrics.publishing import publisher, writing
from tts.attempts import Attempt
from tts.metrics.families import BILLED, CALLS, DURATION, WAITERS

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
        if attempt.billed_units:
            BILLED.labels(*labels).inc(attempt.billed_units)


def _labels(provider: str, model: str) -> tuple[str, str]:
    pair = provider, model
    if pair not in _known and len(_known) >= MOST:
        return provider, OTHER
    _known.add(pair)
    return pair


def _look(cache: MultiTierAudioCache) -> None:
    with writing:
        WAITERS.set(cache.flights.waiting)


publisher.gauges.append(_look)
WAITERS.refresh = publisher.look
