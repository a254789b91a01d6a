"""An older clip rather than none: what is kept past its time, for when its origin fails."""

from __future__ import annotations

from audiocache.aio import AsyncVerbs
from audiocache.clock import Clock
from audiocache.conf import CacheConfig
from audiocache.entries import AudioEntry, Clip
from audiocache.rung import Rung
from audiocache.stats import STALE


class StaleVerbs(AsyncVerbs):
    """find_stale and its twin. They follow a look-up that found nothing fresh."""

    config: CacheConfig
    _clock: Clock

    def find_stale(self, clip: Clip) -> AudioEntry | None:
        """An entry past its time but still kept, marked `stale`; counted in numbers of its own.

        It fills the tiers above its own, with the life that it has. One that was removed is
        not served, nor is any while CACHE_STALE_IF_ERROR_HOURS is 0. One that was renewed
        since the look-up is as good, and not marked.
        """
        if not self.config.stale_if_error_hours:
            return None
        for depth, rung in self.ladder.askable():
            mark = self.ladder.mark()
            for held in (self.ladder.held(rung, clip.keys) or {}).values():
                entry = held._replace(key=clip.key)
                self.ladder.fill_above(depth, [entry], mark)
                if not self.ladder.removals.since(mark.note, entry):
                    return self._told(rung, entry)
        return None

    async def afind_stale(self, clip: Clip) -> AudioEntry | None:
        """See `find_stale`."""
        if not self.config.stale_if_error_hours:
            return None
        return await self._off(lambda: self.find_stale(clip))

    def _told(self, rung: Rung, entry: AudioEntry) -> AudioEntry:
        if entry.expires > self._clock():
            return entry
        rung.count.counts[STALE] += 1
        self.ladder.touches.add_unpaid(entry)
        return entry._replace(stale=True)
