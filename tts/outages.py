"""While a provider fails: whether it is asked at all, and older clips instead of new ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Clip
from tts.breaker import breaker_of
from tts.conf import TTSConfig
from tts.exceptions import (
    BudgetSpent,
    ContentRefused,
    NotCached,
    ProviderError,
    RequestRefused,
    SpeechTimeout,
    TTSError,
)
from tts.providers.base import Provider

MAX_RESTING: Final = 4096

FAILURES: Final = (ProviderError, SpeechTimeout, NotCached, BudgetSpent)
"""After one of these there may be another answer."""


def may_be_stale(error: TTSError) -> bool:
    """May an older clip be the answer? Not where the provider refuses what is said.

    A request that it finds wrong (a voice has been retired) it once found right: the clip is
    there.
    """
    return not isinstance(error, ContentRefused)


def may_fall_back(error: TTSError) -> bool:
    """May another provider be asked? What is refused is no outage, and is to be seen."""
    return not isinstance(error, ContentRefused | RequestRefused)


class Outages:
    """Stands between the callers of a service and its provider. Safe under threads."""

    def __init__(
        self, config: TTSConfig, provider: Provider, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stale = 0
        """Answers with an older clip, by this process."""
        self.breaker = breaker_of(provider)
        self._provider = provider.name
        self._cache_only = config.cache_only
        self._seconds = config.stale_seconds
        self.clock = clock
        self._resting: dict[str, float] = {}

    def quiet(self, clip: Clip) -> bool:
        """Is the provider not to be asked for this clip now? Then only look for it."""
        if self.breaker.calm and not (self._resting or self._cache_only):
            return False  # as it nearly always is
        return not self._may_ask() or self._rests(clip)

    def check_asked(self) -> None:
        """Is the provider asked at all? Raises NotCached where it is not."""
        if self._cache_only:
            raise NotCached(f"{self._provider} is not asked: TTS_CACHE_ONLY is true")

    def found(self, cache: MultiTierAudioCache, clip: Clip) -> AudioEntry | None:
        """What the tiers have, be it stale; None: the provider has to be asked after all.

        Raises NotCached or BreakerOpen where it may not be.
        """
        if not self._may_ask():
            return self._kept(clip, cache.find(clip) or cache.find_stale(clip))
        # It rests on an older clip: where that is gone, the look-up that counts comes after this.
        older = cache.find_stale(clip)
        return self._kept(clip, older and (cache.find(clip) or older))

    async def afound(self, cache: MultiTierAudioCache, clip: Clip) -> AudioEntry | None:
        """See `found`."""
        if not self._may_ask():
            return self._kept(clip, await cache.afind(clip) or await cache.afind_stale(clip))
        older = await cache.afind_stale(clip)
        return self._kept(clip, older and (await cache.afind(clip) or older))

    def older(self, cache: MultiTierAudioCache, clip: Clip, error: TTSError) -> AudioEntry | None:
        """The clip to serve although making it failed, or None."""
        return self._rested(clip, cache.find_stale(clip)) if may_be_stale(error) else None

    async def aolder(
        self, cache: MultiTierAudioCache, clip: Clip, error: TTSError
    ) -> AudioEntry | None:
        """See `older`."""
        return self._rested(clip, await cache.afind_stale(clip)) if may_be_stale(error) else None

    def snapshot(self) -> dict[str, Any]:
        """The breaker's state, and how many answers were stale."""
        numbers = {"resting": len(self._resting), "stale": self.stale}
        return {"provider": self._provider, **self.breaker.snapshot(), **numbers}

    # Inside

    def _may_ask(self) -> bool:
        return not self._cache_only and self.breaker.refusal() is None

    def _rests(self, clip: Clip) -> bool:
        until = self._resting.get(clip.source_key, 0.0)
        if self.clock() < until:
            return True
        self._resting.pop(clip.source_key, None)
        return False

    def _kept(self, clip: Clip, entry: AudioEntry | None) -> AudioEntry | None:
        if entry is not None:
            self.stale += entry.stale
            return entry
        self.check_asked()
        self.breaker.check()
        # It rested on an older clip, which is gone: it was removed, or its time is over.
        self._resting.pop(clip.source_key, None)
        return None

    def _rested(self, clip: Clip, entry: AudioEntry | None) -> AudioEntry | None:
        if entry is not None:
            if len(self._resting) >= MAX_RESTING:
                self._resting.clear()
            self._resting[clip.source_key] = self.clock() + self._seconds
            self.stale += entry.stale
        return entry
