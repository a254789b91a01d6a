"""The real line, in a folder of its own: cache of three tiers, service, local voice.

Its configuration is given here in full: neither settings nor environment change a run.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.entries import Recording
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.providers.espeak import EspeakProvider
from tts.service import TTSService
from tts.speech import SpeechRequest

EVENTS = ("hits", "misses", "puts", "errors", "stale", "backfills")
PEOPLE_SAY = {"persistent": "database", "distributed": "Redis", "provider": "voice"}
"""For tables; memory is memory."""


class CountingVoice(EspeakProvider):
    """The local voice, with the number of clips that it was asked to make."""

    def __init__(self, config: TTSConfig) -> None:
        super().__init__(config)
        self.calls = 0
        self.life: float | None = None
        """Seconds that its next clips live; None: as the cache is configured."""

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """As the local voice does, counted."""
        self.calls += 1
        return dataclasses.replace(super().synthesize(request, deadline), ttl_seconds=self.life)


class Stage:
    """What a site has: a cache, a service and a voice. Needs `redis_url` for three tiers."""

    def __init__(self, folder: str, redis_url: str | None) -> None:
        config = TTSConfig(provider=EspeakProvider.name)
        EspeakProvider.require_extra()
        self.setting = {"folder": folder, "redis_url": redis_url}
        self.voice = CountingVoice(config)
        self.cache = MultiTierAudioCache(_cache_config(Path(folder), redis_url))
        self.service = TTSService(config, cache=self.cache, provider=self.voice)

    @property
    def tiers(self) -> tuple[str, ...]:
        """Those in use, in their order."""
        return tuple(self.cache.tiers)

    def empty(self, *tiers: str) -> None:
        """Empty some tiers, and leave the others what they have."""
        for name in tiers:
            self.cache.tiers[name].clear()

    def rows(self) -> int:
        """Clips in the database."""
        return int(self.backends()["persistent"]["entry_count"] or 0)

    def backends(self) -> dict[str, dict[str, Any]]:
        """What each tier says of itself."""
        backends: dict[str, dict[str, Any]] = self.cache.get_comprehensive_stats()["backends"]
        return backends

    def counted(self) -> dict[str, int]:
        """What this process has counted so far, such as `memory.hits`."""
        performance = self.cache.get_comprehensive_stats()["performance"]
        flat = {
            f"{tier}.{event}": performance[event][tier] for tier in self.tiers for event in EVENTS
        }
        return flat | {"cache.created": performance["created"]}

    def close(self) -> None:
        """Flush the counters and give connections back."""
        self.service.close()
        self.cache.close()


def _cache_config(folder: Path, redis_url: str | None) -> CacheConfig:
    """Room for every clip in each tier."""
    return CacheConfig(
        memory_max_size=2000,
        memory_max_mb=512,
        memory_alias="demo",
        persistent_path=str(folder),
        persistent_max_size=2000,
        persistent_max_mb=512,
        redis_url=redis_url,
        redis_prefix="audiocache-demo",
    )
