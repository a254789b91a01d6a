"""The cache's metrics. Importing this registers them in the default registry."""

from __future__ import annotations

from typing import Final

from audiocache.metrics.collectors import ScrapedCounter, ScrapedGauge, ScrapedHistogram

SHORTEST, LONGEST = 5, 23
"""Exponents of the first and the last bucket: 32 microseconds and 8.4 seconds."""

REQUESTS: Final = ScrapedCounter(
    "audiocache_requests_total", "Look-ups by tier: hit, miss or stale.", ["tier", "result"]
)
DURATION: Final = ScrapedHistogram(
    "audiocache_operation_duration_seconds",
    "How long a tier took; a look-up in memory is not timed.",
    ["tier", "operation"],
    buckets=[2**exponent / 1e6 for exponent in range(SHORTEST, LONGEST + 1)],
)
EVICTIONS: Final = ScrapedCounter(
    "audiocache_evictions_total",
    "Entries that left a tier, or that it did not take.",
    ["tier", "reason"],
)
ERRORS: Final = ScrapedCounter(
    "audiocache_errors_total", "What went wrong in a tier.", ["tier", "kind"]
)
# Every process knows its own memory, and all know the same table: of several, the fullest.
ENTRIES: Final = ScrapedGauge(
    "audiocache_entries", "Entries in a tier.", ["tier"], multiprocess_mode="livemax"
)
BYTES: Final = ScrapedGauge(
    "audiocache_stored_bytes", "Bytes of audio in a tier.", ["tier"], multiprocess_mode="livemax"
)
AVAILABLE: Final = ScrapedGauge(
    "audiocache_tier_available",
    "1 while a tier works, 0 while it is passed over.",
    ["tier"],
    multiprocess_mode="livemin",
)
