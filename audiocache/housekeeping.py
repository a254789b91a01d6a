"""What is to be done at intervals, whoever begins it: a task, or a command for cron.

One run at a time, in all processes.
"""

from __future__ import annotations

from audiocache import rollup
from audiocache.cache import MultiTierAudioCache
from audiocache.celery import CLEANUP, ROLLUP
from audiocache.conf import PERSISTENT


def clean_up(cache: MultiTierAudioCache) -> dict[str, int] | None:
    """Remove entries past their time; how many by tier. None: another run is at work."""
    with cache.turns.only_one(CLEANUP) as held:
        return cache.cleanup_expired() if held else None


def roll_up(cache: MultiTierAudioCache) -> int | None:
    """Fold hourly counters into days; how many hours. None: another run is at work.

    A cache without a database has no such counters, and makes no file for them.
    """
    if PERSISTENT not in cache.tiers:
        return 0
    with cache.turns.only_one(ROLLUP) as held:
        if not held:
            return None
        cache.flush()
        return rollup.roll_up()
