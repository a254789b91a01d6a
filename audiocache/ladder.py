"""The tiers in their order: down until one has the entry, up to fill those above it.

This is the one room that goes on although a tier failed (law 3), and that counts look-ups.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from audiocache.clock import Clock, now_ms
from audiocache.entries import AudioEntry, Clip
from audiocache.forks import RenewedLock
from audiocache.removals import ALL, Removal, Removals
from audiocache.rung import Rung
from audiocache.stats import BACKFILLS, HITS, MISSES, PUTS, Recorder
from audiocache.tiers.base import Tier
from audiocache.touches import Touches
from audiocache.workers import Executor


class Ladder:
    """Asks, fills and empties the tiers."""

    def __init__(
        self, tiers: Iterable[Tier], recorder: Recorder, executor: Executor, clock: Clock = now_ms
    ) -> None:
        self.rungs = [Rung(tier, recorder, executor) for tier in tiers]
        self._clock = clock
        self._inline = len(list(takewhile(lambda rung: rung.tier.inline, self.rungs)))
        self.all_inline = self._inline == len(self.rungs)
        self.removals = Removals()
        self._filling = RenewedLock()
        self.touches = Touches()

    # Down

    def at_hand(self, clip: Clip) -> AudioEntry | None:
        """A fresh entry from the tiers that answer at once, counted."""
        for depth in range(self._inline):
            rung = self.rungs[depth]
            entry = rung.tier.get(clip.key)
            if entry is not None and entry.expires > self._clock():
                rung.count.counts[HITS] += 1
                self.touches.add_all(_keys(clip))
                return entry
            rung.count.counts[MISSES] += 1
        return None

    def below(self, clip: Clip) -> AudioEntry | None:
        """A fresh entry from the tiers under those of `at_hand`, counted and back-filled."""
        return self.below_many((clip,)).get(clip.key)

    def below_many(self, clips: Iterable[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key: one round trip per tier for all that is still missing."""
        asked = list(clips)
        missing = {clip.key: clip for clip in asked}
        found: dict[str, AudioEntry] = {}
        for depth in range(self._inline, len(self.rungs)):
            if not missing:
                break
            mark = self.removals.mark()
            here = self._ask(self.rungs[depth], missing)
            self.fill_above(depth, here.values(), mark)
            found |= here
            missing = {key: clip for key, clip in missing.items() if key not in here}
        self.touches.add_all(key for clip in asked if clip.key in found for key in _keys(clip))
        return found

    def peek(self, clip: Clip) -> AudioEntry | None:
        """A fresh entry from any tier; counts nothing, fills nothing."""
        for rung in self.rungs:
            entries = rung.attempt("get", lambda tier: tier.get_many(_keys(clip))) or {}
            for entry in entries.values():
                if entry.expires > self._clock():
                    return entry._replace(key=clip.key)
        return None

    def has(self, clip: Clip) -> bool:
        """Is a fresh entry in any tier? Counts nothing, fills nothing."""
        now = self._clock()
        return any(
            rung.attempt("get", lambda tier: tier.has_many(_keys(clip), now)) for rung in self.rungs
        )

    def where(self, clip: Clip) -> dict[str, AudioEntry | None]:
        """What each tier holds of a clip, for people who look; counts and fills nothing."""
        return {
            rung.tier.name: next(
                iter((rung.attempt("get", lambda tier: tier.get_many(_keys(clip))) or {}).values()),
                None,
            )
            for rung in self.rungs
        }

    def _ask(self, rung: Rung, missing: Mapping[str, Clip]) -> dict[str, AudioEntry]:
        keys = [key for clip in missing.values() for key in _keys(clip)]
        answer = rung.attempt("get", lambda tier: tier.get_many(keys))
        if answer is None:
            return {}
        found = self._fresh(missing, answer)
        hits = len(found)
        rung.count.counts[HITS] += hits
        rung.count.counts[MISSES] += len(missing) - hits
        return found

    def _fresh(
        self, missing: Mapping[str, Clip], answer: Mapping[str, AudioEntry]
    ) -> dict[str, AudioEntry]:
        """The fresh part of a tier's answer, each under the key it was asked for by."""
        now = self._clock()
        found = {}
        for key, clip in missing.items():
            entry = answer.get(key) or answer.get(clip.legacy_key or key)
            if entry is not None and entry.expires > now:
                found[key] = entry if entry.key == key else entry._replace(key=key)
        return found

    # Up

    def store(self, entries: Sequence[AudioEntry]) -> Counter[str]:
        """Put entries into every tier, the lowest first; how many tiers took each key."""
        taken: Counter[str] = Counter()
        for rung in reversed(self.rungs):
            keys = rung.attempt("put", lambda tier: tier.put_many(entries)) or set()
            number = len(keys)
            rung.count.counts[PUTS] += number
            taken.update(keys)
        return taken

    def fill_above(self, depth: int, entries: Iterable[AudioEntry], mark: int) -> None:
        """Back-fill: an entry's instants travel with it, so its life is not lengthened.

        What was removed since the mark is not brought back.
        """
        batch = list(entries)
        for rung in reversed(self.rungs[:depth] if batch else ()):
            if rung.tier.inline:
                # Under the lock under which a removal ends: not for a moment is it back there.
                with self._filling:
                    self._fill(rung, self._not_removed(batch, mark))
            else:
                self._fill(rung, self._not_removed(batch, mark))
                self._take_back(rung, batch, mark)

    def _fill(self, rung: Rung, batch: Sequence[AudioEntry]) -> None:
        if batch:
            keys = rung.attempt("put", lambda tier: tier.put_many(batch, only_missing=True))
            number = len(keys or ())
            rung.count.counts[BACKFILLS] += number

    def _not_removed(self, batch: Sequence[AudioEntry], mark: int) -> list[AudioEntry]:
        return [entry for entry in batch if not self.removals.since(mark, entry)]

    def _take_back(self, rung: Rung, batch: Sequence[AudioEntry], mark: int) -> None:
        late = [entry.key for entry in batch if self.removals.since(mark, entry)]
        if late:
            rung.attempt("remove", lambda tier: tier.remove_many(late))

    # Out

    def remove(self, keys: Sequence[str]) -> bool:
        """Remove keys from every tier; True when one had any of them."""
        removals = [Removal("key", key) for key in keys]
        return self._everywhere(removals, lambda tier: tier.remove_many(keys))

    def remove_group(self, field: str, value: str, namespace: str = "") -> bool:
        """Remove the entries of a text in a namespace, a source or a tag; True: one was there."""
        removals = [Removal(field, value, namespace)]
        return self._everywhere(removals, lambda tier: tier.remove_group(field, value, namespace))

    def clear(self) -> None:
        """Empty every tier of this cache's entries."""
        self._everywhere([Removal(ALL)], _empty)
        self.touches.forget()

    def cleanup(self) -> dict[str, int]:
        """Remove what is past its time; how many entries by tier."""
        return {
            rung.tier.name: rung.attempt("remove", lambda tier: tier.cleanup()) or 0
            for rung in self.rungs
        }

    def _everywhere(self, removals: list[Removal], remove: Callable[[Tier], int]) -> bool:
        """Noted before, so that a back-fill sees it; and after, for one that read in between:
        what that put into memory before the second note goes with the second removal.
        """
        self.removals.note(removals)
        removed = [rung.attempt("remove", remove) for rung in reversed(self.rungs)]
        with self._filling:
            self.removals.note(removals)
            for rung in self.rungs[: self._inline]:
                rung.attempt("remove", remove)
        return any(removed)

    # Care

    def flush_touches(self) -> None:
        """Tell the tiers which keys were hit since the last time, oldest first (law 9)."""
        if hits := self.touches.drain():
            now = self._clock()
            for rung in self.rungs:
                rung.attempt("put", lambda tier: tier.touched(hits, now))

    def release(self) -> None:
        """Close this thread's connections."""
        for rung in self.rungs:
            rung.tier.release()

    def close(self) -> None:
        """Close this thread's connections and those that nobody uses."""
        for rung in self.rungs:
            rung.do(lambda tier: tier.close())

    def add_counts(self, deltas: Mapping[str, int]) -> bool:
        """Add to the installation's counters; False when no tier took them: keep them."""
        now = self._clock()
        return any(
            rung.attempt("put", lambda tier: tier.add_counts(deltas, now))
            for rung in self.rungs
            if rung.tier.keeps_counts
        )

    def read_counts(self) -> dict[str, int]:
        """The installation's counters, from the first tier that keeps them."""
        for rung in self.rungs:
            if rung.tier.keeps_counts:
                return rung.attempt("get", lambda tier: tier.read_counts()) or {}
        return {}

    def backends(self) -> dict[str, dict[str, Any]]:
        """What each tier says of itself, and whether it is available."""
        return {
            rung.tier.name: {
                **(rung.attempt("get", lambda tier: tier.stats()) or rung.tier.unknown_stats()),
                **rung.tier.counts,
                "available": rung.circuit.available,
            }
            for rung in self.rungs
        }


def _empty(tier: Tier) -> int:
    tier.clear()
    return 0


def _keys(clip: Clip) -> tuple[str, ...]:
    return (clip.key,) if clip.legacy_key is None else (clip.key, clip.legacy_key)
