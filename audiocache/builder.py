"""The one cache of the process, built from settings and environment at first use."""

from __future__ import annotations

from typing import Any

from audiocache import database, signals
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import CacheConfig
from audiocache.forks import RenewedLock

_lock = RenewedLock()
_cache: MultiTierAudioCache | None = None


def get_audio_cache() -> MultiTierAudioCache:
    """The process's cache. Raises ImproperlyConfigured that names every wrong setting."""
    return _cache or initialize_audio_cache(only_missing=True)


def initialize_audio_cache(
    config: CacheConfig | None = None, *, only_missing: bool = False
) -> MultiTierAudioCache:
    """Make a cache of this configuration (None: settings and environment) the process's.

    The one before is closed: what its callers have begun is finished and stored.
    """
    with _lock:
        if _cache is not None and only_missing:
            return _cache
        cache = MultiTierAudioCache(config or CacheConfig.load())
        before = replace_audio_cache(cache)
    if before is not None:
        before.close()
    return cache


def replace_audio_cache(cache: MultiTierAudioCache | None) -> MultiTierAudioCache | None:
    """Set the process's cache (None: build it anew at next use); the one before."""
    global _cache
    with _lock:
        before, _cache = _cache, cache
        database.use(_alias_of(cache))
    if cache is not None:
        signals.cache_built.send_robust(type(cache), cache=cache)
    return before


def _alias_of(cache: MultiTierAudioCache | None) -> str:
    """Where it has its tables; empty where it has none."""
    tiers = () if cache is None else cache.tiers.values()
    return next((tier.alias for tier in tiers if tier.alias), "")


def built_audio_cache() -> MultiTierAudioCache | None:
    """The process's cache, where it has been used."""
    return _cache


def on_setting_changed(*, setting: str, **_: Any) -> None:
    """In tests: settings that concern the cache make it new."""
    if setting in {"AUDIOCACHE", "CACHES", "DATABASES"}:
        database.forget()
        if (before := replace_audio_cache(None)) is not None:
            before.close(flush=False)  # a test may forbid all queries
