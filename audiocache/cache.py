"""MultiTierAudioCache: the straight line of the house.

text -> clip -> tiers downwards -> (miss) one flight -> recording -> tiers upwards -> audio
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.dispatch import Signal

from audiocache import signals
from audiocache.clock import Clock, Instant, Succession, now_ms
from audiocache.conf import TIER_NAMES, CacheConfig
from audiocache.coordinator import Coordinator
from audiocache.entries import AudioEntry, Clip, Life, Recording, entry_of, life_from
from audiocache.flights import Flights
from audiocache.ladder import Ladder
from audiocache.lanes import Lanes
from audiocache.places import Places
from audiocache.removals import TAGS, TEXT
from audiocache.stale import StaleVerbs
from audiocache.stats import Recorder
from audiocache.storing import Mark
from audiocache.tiers import build_tiers
from audiocache.tiers.base import Tier
from audiocache.turns import Turns
from audiocache.upkeep import Upkeep
from audiocache.workers import Executor, Workers

logger = logging.getLogger(__name__)


class MultiTierAudioCache(StaleVerbs):
    """Audio clips in tiers. Safe under threads and tasks; a tier in trouble is a miss.

    The verbs on text are in `audiocache.verbs`, those that make what is missing in
    `audiocache.creating`, all a-twins in `audiocache.aio`; here are the verbs on clips, which
    these stand on, and those on all entries.
    """

    def __init__(
        self,
        config: CacheConfig | None = None,
        *,
        tiers: Iterable[Tier] | None = None,
        clock: Clock = now_ms,
        executor: Executor | None = None,
    ) -> None:
        super().__init__()
        self.config = config or CacheConfig()
        built = list(build_tiers(self.config, clock) if tiers is None else tiers)
        self.tiers: Mapping[str, Tier] = {tier.name: tier for tier in built}
        self.recorder = Recorder(TIER_NAMES, enabled=self.config.enable_statistics)
        self.executor = executor or Workers("audiocache-lookup")
        blind_ms = int(self.config.max_blind_seconds * 1000)
        self.ladder = Ladder(built, self.recorder, self.executor, clock, blind_ms=blind_ms)
        self.at_hand = self.ladder.at_hand
        # Apart: slow makings must not keep look-ups from their threads.
        self.makers = Lanes("audiocache-making", executor)
        self._clock = clock
        self._instants = Succession(clock)
        self.looks: Flights[AudioEntry | None] = Flights()
        self.flights: Flights[AudioEntry] = Flights()
        self.places = Places(self.ladder.rungs)
        self.turns = Turns(Coordinator(self.ladder.rungs, self.recorder, self.executor))
        self._upkeep = Upkeep(self.ladder, self.recorder, self.flights)
        for tier in built:
            tier.on_evict = self._tell_evicted

    # One clip

    def find(self, clip: Clip) -> AudioEntry | None:
        """The fresh entry of a clip, or None; counted in each tier that was asked."""
        return self.at_hand(clip) or self.find_below(clip)

    def find_below(self, clip: Clip) -> AudioEntry | None:
        """The fresh entry from the tiers that may block."""
        if self.ladder.all_inline:
            return None
        self._upkeep.ensure()
        return self.ladder.below(clip)

    def holds(self, clip: Clip) -> bool:
        """Is a fresh entry of the clip in any tier? Fills nothing and counts nothing."""
        return self.ladder.has(clip)

    def store(self, clip: Clip, recording: Recording) -> AudioEntry:
        """Store a recording in every tier; the entry, also when no tier could take it."""
        [(entry, _)] = self.store_many([(clip, recording)])
        return entry

    def discard(self, clip: Clip, *, all_variants: bool = False) -> bool:
        """Remove a clip and the renditions made of it, or every variant of its text."""
        self._upkeep.ensure()
        field = "text_digest" if all_variants else "source_key"
        groups = clip.digests if all_variants else [clip.source_key]
        removed = self.ladder.remove(clip.keys)
        for value in groups:
            removed = self.ladder.remove_group(field, value, clip.namespace) or removed
        self._tell(signals.entry_removed, keys=[clip.key], field=field, value=groups[0])
        return removed

    # Many clips

    def find_many(self, clips: Iterable[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key: one round trip per tier."""
        found, missing = self.sort_by_hand(clips)
        return found | self.find_many_below(missing)

    def sort_by_hand(self, clips: Iterable[Clip]) -> tuple[dict[str, AudioEntry], list[Clip]]:
        """The fresh entries in memory by key, and the clips that are not there."""
        asked = {clip.key: clip for clip in clips}
        found = {key: entry for key, clip in asked.items() if (entry := self.at_hand(clip))}
        return found, [clip for key, clip in asked.items() if key not in found]

    def find_many_below(self, missing: Sequence[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key from the tiers that may block."""
        if not missing or self.ladder.all_inline:
            return {}
        self._upkeep.ensure()
        return self.ladder.below_many(missing)

    def store_many(
        self, recorded: Iterable[tuple[Clip, Recording]]
    ) -> list[tuple[AudioEntry, int]]:
        """Store recordings, one round trip per tier; each entry and how many tiers took it."""
        self._upkeep.ensure()
        at = self._instants()
        entries = [self.entry(clip, recording, at) for clip, recording in recorded]
        taken = self.ladder.store(entries) if entries else {}
        stored = [(entry, taken.get(entry.key, 0)) for entry in entries]
        for entry, tiers in stored:
            self._tell_stored(entry, tiers)
        return stored

    def discard_many(self, keys: Iterable[str]) -> bool:
        """Remove entries by key from every tier; True when one was there."""
        self._upkeep.ensure()
        wanted = list(keys)
        removed = self.ladder.remove(wanted) if wanted else False
        self._tell(signals.entry_removed, keys=wanted, field="", value="")
        return removed

    def discard_text_in(self, text_digest: str, namespace: str) -> bool:
        """Remove a text from a namespace whose digest alone is known; True when it was there."""
        removed = self.ladder.remove_text_in(text_digest, namespace)
        self._tell(signals.entry_removed, keys=[], field=TEXT, value=text_digest)
        return removed

    def discard_tag(self, tag: str) -> bool:
        """Remove the entries that have a tag from every tier; True when one was there."""
        self._upkeep.ensure()
        removed = self.ladder.remove_group(TAGS, tag)
        self._tell(signals.entry_removed, keys=[], field=TAGS, value=tag)
        return removed

    # All clips

    def clear(self) -> None:
        """Remove every entry of this cache from every tier, and no neighbour's keys."""
        self._upkeep.ensure()
        self.ladder.clear()
        self._tell(signals.entry_removed, keys=None, field="", value="")

    def cleanup_expired(self) -> dict[str, int]:
        """Remove entries past their time; how many by tier. Redis expires its own: 0."""
        return dict.fromkeys(TIER_NAMES, 0) | self.ladder.cleanup()

    def get_comprehensive_stats(self) -> dict[str, Any]:
        """`config`, `performance` of this process, and `backends` by tier."""
        return {
            "config": self.config.masked(),
            "performance": self.recorder.performance(),
            "backends": self.ladder.backends(),
        }

    def get_installation_stats(self) -> dict[str, int]:
        """Counters of all processes by name, such as `memory.hits`; flushes our own first."""
        self.flush()
        return self._upkeep.installation()

    def counters(self) -> Counter[str]:
        """Counters of this process alone by name, such as `memory.hits`."""
        return self._upkeep.totals()

    def flush(self) -> None:
        """Write counters and hit times down now; the pulse does it every few seconds."""
        self._upkeep.flush()

    def close(self, *, flush: bool = True) -> None:
        """Flush, end our threads and give connections back. The cache may be used again."""
        if flush:
            self.flush()
        self._upkeep.rest()
        self.ladder.close()
        self.makers.close(self.ladder.release)
        self.executor.close(self.ladder.release)
        self.turns.close()

    # Inside

    def keep(self, entry: AudioEntry, mark: Mark) -> int:
        """Store what was made, unless it was removed since the mark; how many tiers took it."""
        self._upkeep.ensure()
        tiers = self.ladder.store_unless_removed(entry, mark)
        if tiers or (tiers is not None and not entry.spare):
            self._tell_stored(entry, tiers)
        return tiers or 0

    @property
    def clock(self) -> Clock:
        """What it goes by."""
        return self._clock

    def life(self, recording: Recording, now: int | None = None) -> Life:
        """Of a recording that is stored then (ms), or would be stored now."""
        ttl, stale = self.config.spans_ms
        now = self._clock() if now is None else now
        return life_from(now, recording.ttl_seconds, default_ms=ttl, stale_ms=stale)

    def entry(self, clip: Clip, recording: Recording, at: Instant | None = None) -> AudioEntry:
        """What is stored of a recording; when it was created tells it from an older one."""
        now, created = at or self._instants()
        life = self.life(recording, now)._replace(created=created)
        return entry_of(clip, recording, life, store_text=self.config.store_text)

    def _tell_stored(self, entry: AudioEntry, tiers: int) -> None:
        if not tiers:
            self.recorder.bump("unstored")
            logger.warning("no tier took the clip key=%s bytes=%d", entry.key, entry.size)
        self._tell(signals.entry_stored, entry=entry)

    def _tell_evicted(self, tier: str, keys: Iterable[str], reason: str) -> None:
        self._tell(signals.entry_evicted, tier=tier, keys=list(keys), reason=reason)

    def _tell(self, signal: Signal, **what: Any) -> None:
        if signal.has_listeners(type(self)):
            signal.send_robust(type(self), cache=self, **what)
