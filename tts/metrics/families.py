"""The metrics of speech. Importing this registers them in the default registry."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Histogram

from audiocache.metrics.collectors import ScrapedCounter, ScrapedGauge

CALLS: Final = Counter(
    "tts_provider_calls_total",
    "Calls to providers, each attempt by how it ended.",
    ["provider", "model", "outcome"],
)
DURATION: Final = Histogram(
    "tts_provider_duration_seconds",
    "How long a call to a provider took, however it ended.",
    ["provider", "model"],
    buckets=[0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 30, 60],
)
BILLED: Final = Counter(
    "tts_billed_characters_total", "Characters that providers billed.", ["provider", "model"]
)
SPENT: Final = Counter("tts_spent_dollars_total", "What calls to providers cost, in USD.")
SAVED: Final = ScrapedCounter(
    "tts_saved_dollars_total", "What hits would have cost if there were no cache, in USD."
)
PAID_AGAIN: Final = Counter(
    "tts_paid_again_total", "Calls for what had been paid for before, by cause.", ["cause"]
)
BUDGET: Final = ScrapedGauge(
    "tts_budget_used_ratio",
    "How much of the budget is used that is used most; 0 where none is set.",
    multiprocess_mode="livemax",
)
UNCHECKED: Final = Counter(
    "tts_budget_unchecked_calls_total",
    "Paid calls that were made while nobody could say what is spent, though a budget is set.",
)
WAITERS: Final = ScrapedGauge(
    "tts_flight_waiters",
    "Callers who wait for a call that another one began.",
    multiprocess_mode="livesum",
)
