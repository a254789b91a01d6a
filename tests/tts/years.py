"""A year of an installation's life, written by the database itself: entries, hours, calls."""

from __future__ import annotations

from typing import Any, Final

from audiocache.stats import latency_names

HOUR: Final = 3_600_000
YEAR_HOURS: Final = 365 * 24
TIERS: Final = ("memory", "persistent", "distributed")
NUMBERS: Final = """
    WITH RECURSIVE n(i) AS (
        SELECT CAST(0 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < %s - 1
    )"""

ENTRIES: Final = f"""
    {NUMBERS} INSERT INTO audiocache_entry (
        key, namespace, text_digest, text, variant, provider, model, voice, language, content_type,
        size, duration_ms, storage_name, checksum, audio_sha256, source_key, transcoded_from,
        created, expires, keep_until, used, hits, pinned, revision, cost, billed_units, tags,
        schema_version, timings, audio
    ) SELECT
        'key' || i, '', 'text' || i, NULL, '', 'acme', 'm1', 'alto', 'en', 'audio/mpeg',
        2000 + i % 4000, 2100, '', 0, '', 'source' || i, '',
        %s, %s + i * 20000, %s + i * 20000, %s, 3, false, 1, 1500, 100, '', 1, '', NULL
    FROM n
"""
COUNTS: Final = f"""
    {NUMBERS} INSERT INTO audiocache_count (name, resolution, period, value)
    SELECT %s, 'h', %s - i * {HOUR}, %s + (i * 7919) %% 40 + 30 * (i %% 24 / 8) FROM n
"""
ACCOUNTS: Final = f"""
    {NUMBERS} INSERT INTO audiocache_account (
        resolution, period, provider, model, voice, outcome, cause, calls, unpriced, estimated,
        units, characters, cost, age_ms
    ) SELECT 'h', %s - i * {HOUR}, %s, 'm1', %s, %s, %s, 1 + (i * 7919) %% 9, 0, 0,
        900, 900, 90000 + (i * 7919) %% 7 * 40000, 0 FROM n
"""
LATENCIES: Final = f"""
    {NUMBERS} INSERT INTO audiocache_call_latency (
        resolution, period, provider, model, bucket, calls
    ) SELECT 'h', %s - i * {HOUR}, %s, 'm1', %s, 1 + i %% 9 FROM n
"""
CHARGES: Final = f"""
    {NUMBERS} INSERT INTO audiocache_charge (
        call, at, source_key, namespace, provider, model, voice, outcome, number, latency_ms,
        units, unit, characters, cost, estimated, cause
    ) SELECT 'call' || i, %s - i * 90000, 'source' || i, '', 'acme', 'm1', 'alto',
        CASE i %% 50 WHEN 3 THEN 'rate_limited' WHEN 17 THEN 'provider_timeout' ELSE 'ok' END,
        1, 240 + i %% 90, 90, 'characters', 90, 1500, false, '' FROM n
"""
PURCHASES: Final = f"""
    {NUMBERS} INSERT INTO audiocache_purchase (
        source_key, first, paid, times, cost, size, expires, gone, gone_at
    ) SELECT 'source' || i, %s - i * 300000, %s - i * 300000, 1, 1500, 3000, %s, '', NULL FROM n
"""


def live(cursor: Any, now: int, *, entries: int, hours: int = YEAR_HOURS) -> None:
    """Write it all. Hours are not folded: as if nobody ever ran the task that does it."""
    hour = now // HOUR * HOUR
    cursor.execute(ENTRIES.replace(" % 4000", " %% 4000"), [entries, now, now, now, now])
    for tier, (hits, misses) in zip(TIERS, ((900, 80), (60, 40), (20, 20)), strict=True):
        counted = {f"{tier}.hits": hits, f"{tier}.misses": misses, f"{tier}.evicted": 2}
        spread = latency_names(tier, "get")[6:14] + latency_names(tier, "put")[7:15]
        for name, value in (counted | dict.fromkeys(spread, 9)).items():
            cursor.execute(COUNTS, [hours, name, hour, value])
    cursor.execute(COUNTS, [hours, "cache.saved", hour, 900_000])
    for outcome, cause in (("ok", ""), ("ok", "expired"), ("ok", "evicted"), ("rate_limited", "")):
        for provider in ("acme", "backup"):
            cursor.execute(ACCOUNTS, [hours, hour, provider, "alto", outcome, cause])
    for bucket in range(15, 21):
        cursor.execute(LATENCIES, [hours, hour, "acme", bucket])
    cursor.execute(CHARGES, [10 * hours, now])
    cursor.execute(PURCHASES, [entries, now, now, now])
