"""The beat schedule of the cache's tasks: `app.conf.beat_schedule = beat_schedule()`."""

from __future__ import annotations

from typing import Any, Final

from audiocache.conf import CacheConfig

CLEANUP: Final = "audiocache.cleanup_expired"
WARM: Final = "audiocache.warm"
ROLLUP: Final = "audiocache.rollup_statistics"

HOUR_SECONDS: Final = 3600.0


def beat_schedule(config: CacheConfig | None = None) -> dict[str, dict[str, Any]]:
    """Each task with its interval in seconds; a run not begun by the next one expires."""
    config = config or CacheConfig.load()
    minutes = config.cleanup_interval_minutes
    return {
        CLEANUP: _every(CLEANUP, minutes * 60),
        ROLLUP: _every(ROLLUP, HOUR_SECONDS),
    } | ({WARM: _every(WARM, HOUR_SECONDS)} if config.enable_warming else {})


def _every(task: str, seconds: float) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": seconds * 0.9}}
