"""Celery tasks, each with a command for cron. Idempotent, one run at a time, no results."""

from __future__ import annotations

import logging

from celery import shared_task

from audiocache import rollup, warmers
from audiocache.builder import get_audio_cache
from audiocache.celery import CLEANUP, ROLLUP, WARM
from audiocache.leases import only_one

logger = logging.getLogger(__name__)


@shared_task(name=CLEANUP, ignore_result=True)
def cleanup_expired() -> None:
    """Remove entries past their time from every tier."""
    with only_one(CLEANUP) as held:
        if held:
            removed = get_audio_cache().cleanup_expired()
            logger.info("cleaned up removed=%s", removed)


@shared_task(name=WARM, ignore_result=True)
def warm() -> None:
    """Make what is missing of the phrases kept in the admin."""
    with only_one(WARM, seconds=3600) as held:
        if held and get_audio_cache().config.enable_warming:
            logger.info("warmed stored=%s", warmers.run())


@shared_task(name=ROLLUP, ignore_result=True)
def rollup_statistics() -> None:
    """Fold hourly counters into days, and forget hours and days of long ago."""
    with only_one(ROLLUP) as held:
        if held:
            get_audio_cache().flush()
            logger.info("rolled up hours=%d", rollup.roll_up())
