"""Celery tasks, each with a command for cron. Idempotent, one run at a time, no results."""

from __future__ import annotations

import logging

from celery import shared_task

from audiocache import housekeeping, warmers
from audiocache.builder import get_audio_cache
from audiocache.celery import CLEANUP, ROLLUP, WARM

logger = logging.getLogger(__name__)


@shared_task(name=CLEANUP, ignore_result=True)
def cleanup_expired() -> None:
    """Remove entries past their time from every tier."""
    if (removed := housekeeping.clean_up(get_audio_cache())) is not None:
        logger.info("cleaned up removed=%s", removed)


@shared_task(name=WARM, ignore_result=True)
def warm() -> None:
    """Make what is missing of the phrases kept in the admin."""
    cache = get_audio_cache()
    with cache.turns.only_one(WARM, seconds=3600) as held:
        if held and cache.config.enable_warming:
            logger.info("warmed stored=%s", warmers.run())


@shared_task(name=ROLLUP, ignore_result=True)
def rollup_statistics() -> None:
    """Fold hourly counters into days, and forget hours and days of long ago."""
    if (hours := housekeeping.roll_up(get_audio_cache())) is not None:
        logger.info("rolled up hours=%d", hours)
