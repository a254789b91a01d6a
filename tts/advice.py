"""Which setting would have saved what was paid for again, and how large it would have to be.

For what happened in a span: all that was bought in it, beside what is there, would have had
room, and would have lived until it was asked for last.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from django.db.models import Count, Sum

from audiocache.builder import get_audio_cache
from audiocache.charges import EVICTED, EXPIRED
from audiocache.clock import DAY_MS, now_ms
from audiocache.conf import MIB
from audiocache.entries import NEVER
from audiocache.models import AudioCacheEntry, Purchase, Total
from tts import accounts
from tts.accounts import Again

SPAN_MS: Final = 30 * DAY_MS
SAMPLE: Final = 1_000
"""Entries that say how many formats a clip is kept in."""
SPARE: Final = 1.1
NOTHING: Final = Again("", 0, 0)


class Advice(NamedTuple):
    """One setting, and what it would have saved in the span."""

    setting: str
    now: float
    value: float
    cause: str
    calls: int
    cost: int


class _Need(NamedTuple):
    """What would have kept all that was bought."""

    hours: int
    rows: int
    mb: int


def advice(since: int | None = None, until: int = NEVER) -> list[Advice]:
    """Of the last thirty days unless told another span; empty: nothing is to be gained.

    All that is advised belongs together: what lives longer needs more room.
    """
    begin = now_ms() - SPAN_MS if since is None else since
    again = {one.cause: one for one in accounts.paid_again(begin, until)}
    expired, evicted = again.get(EXPIRED, NOTHING), again.get(EVICTED, NOTHING)
    if not (expired.calls or evicted.calls):
        return []
    config, need = get_audio_cache().config, _need(begin, until)
    wanted = (
        ("CACHE_TTL_HOURS", config.ttl_hours, need.hours, expired._replace(cause=EXPIRED)),
        ("CACHE_PERSISTENT_MAX_SIZE", config.persistent_max_size, need.rows, evicted),
        ("CACHE_PERSISTENT_MAX_MB", config.persistent_max_mb, need.mb, evicted),
    )
    return [
        Advice(setting, now, value, one.cause or EVICTED, one.calls, one.cost)
        for setting, now, value, one in wanted
        if 0 < now < value  # 0 is no limit
    ]


def _need(since: int, until: int) -> _Need:
    bought = accounts.rows_of(Purchase).filter(paid__gte=since, paid__lt=until)
    new = bought.aggregate(rows=Count("pk"), bytes=Sum("size"))
    held = accounts.rows_of(Total).aggregate(rows=Sum("entries"), bytes=Sum("bytes"))
    rows, size = ((held[name] or 0) + (new[name] or 0) * _formats() for name in ("rows", "bytes"))
    return _Need(_hours(since, until), _rounded(rows * SPARE), _rounded(size * SPARE / MIB))


def _hours(since: int, until: int) -> int:
    """Whole days, and longer than from the first purchase of any clip to its last one."""
    longest = accounts.longest_age((EXPIRED, EVICTED), since, until)
    return (longest // DAY_MS + 1) * 24


def _formats() -> float:
    """Entries of a clip, on an average of the latest."""
    latest = accounts.rows_of(AudioCacheEntry).order_by("-id")
    keys: list[str] = list(latest.values_list("source_key", flat=True)[:SAMPLE])
    return len(keys) / len(set(keys)) if keys else 1.0


def _rounded(number: float) -> int:
    """Upwards, to two digits."""
    step: int = 10 ** max(0, len(str(int(number))) - 2)
    return math.ceil(number / step) * step
