"""The tiers in their order: down until one has the entry, up to fill those above it.

This is the one room that goes on although a tier failed (law 3), and that counts look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from audiocache.at_hand import reader
from audiocache.clock import Clock, now_ms
from audiocache.entries import AudioEntry, Clip
from audiocache.following import READINGS, Following
from audiocache.forks import RenewedLock
from audiocache.removals import ALL, KEY, TEXT, Removal, Removals
from audiocache.rung import Rung
from audiocache.stats import HITS, MISSES, Recorder
from audiocache.storing import TRIES, Mark, Storing
from audiocache.tiers.base import Tier
from audiocache.touches import Touches
from audiocache.workers import Executor


class Ladder(Storing):
    """Asks, fills and empties the tiers."""

    def __init__(
        self,
        tiers: Iterable[Tier],
        recorder: Recorder,
        executor: Executor,
        clock: Clock = now_ms,
        *,
        blind_ms: int = 60_000,
    ) -> None:
        self.rungs = [Rung(tier, recorder, executor) for tier in tiers]
        self._clock = clock
        self._inline = len(list(takewhile(lambda rung: rung.tier.inline, self.rungs)))
        self.all_inline = self._inline == len(self.rungs)
        self.removals = Removals()
        self._filling = RenewedLock()
        self.touches = Touches()
        self.trusted_until = 0
        """See `at_hand.Trust`."""
        near = self.rungs[: self._inline]
        self.at_hand = reader(near, self, self.touches, clock)
        """A fresh entry from the tiers that answer at once. A miss where they may not be trusted:
        `below` puts that right.
        """
        self.following = Following(
            self.rungs, self.removals, self._filling, clock, blind_ms, self._trust
        )

    def _trust(self, until: int) -> None:
        self.trusted_until = until

    # Down

    def below(self, clip: Clip) -> AudioEntry | None:
        """A fresh entry from the tiers under those of `at_hand`, counted and back-filled."""
        return self.below_many((clip,)).get(clip.key)

    def below_many(self, clips: Iterable[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key: one round trip per tier for all that is still missing."""
        asked = list(clips)
        # Also where memory is trusted by now: it may have been refused a moment ago.
        hits = self._doubted(asked) if self.following.follows else {}
        missing = {clip.key: clip for clip in asked if clip.key not in hits}
        found: dict[str, AudioEntry] = {}
        for depth in range(self._inline, len(self.rungs)):
            if not missing:
                break
            if self.rungs[depth].is_passed_over:
                continue
            here, mark = self._ask(self.rungs[depth], missing)
            self.fill_above(depth, here.values(), mark)
            found |= here
            missing = {key: clip for key, clip in missing.items() if key not in here}
        self.touches.note_costs(found.values())
        self.touches.add_all(key for clip in asked if clip.key in found for key in clip.keys)
        return hits | found

    def note_miss(self) -> None:
        """Count a look-up below in which every tier that was asked had nothing."""
        for rung in self.rungs[self._inline :]:
            rung.count.counts[MISSES] += not rung.is_passed_over

    def _doubted(self, clips: Sequence[Clip]) -> dict[str, AudioEntry]:
        """Hear what was removed, then ask again those who answer at once, in place of their
        misses: they may not have been asked.
        """
        self.following.catch_up()
        if not self.following.trusted:
            return {}
        found = {}
        for clip in clips:
            for rung in self.rungs[: self._inline]:
                rung.count.counts[MISSES] -= 1
            if entry := self.at_hand(clip):
                found[clip.key] = entry
        return found

    def askable(self) -> list[tuple[int, Rung]]:
        """The tiers that may be asked now, and how deep each is: memory only when it is known
        what was removed elsewhere.
        """
        self.following.catch_up()
        first = 0 if self.following.trusted else self._inline
        tiers = list(enumerate(self.rungs))[first:]
        return [(depth, rung) for depth, rung in tiers if self.following.admits(rung)]

    def peek(self, clip: Clip) -> AudioEntry | None:
        """A fresh entry from any tier; counts nothing, fills nothing."""
        for _, rung in self.askable():
            for entry in (self.held(rung, clip.keys) or {}).values():
                if entry.expires > self._clock():
                    return entry._replace(key=clip.key)
        return None

    def peek_any(self, keys: Sequence[str]) -> AudioEntry | None:
        """The first of them that is fresh, from the first tier that has one; see `peek`."""
        for _, rung in self.askable():
            held = rung.attempt("get", lambda tier: tier.get_many(keys)) or {}
            for key in keys:
                if key in held and held[key].expires > self._clock():
                    return held[key]
        return None

    def has(self, clip: Clip) -> bool:
        """Is a fresh entry in any tier? Counts nothing, fills nothing."""
        now = self._clock()
        return any(
            (rung.attempt("get", lambda tier: tier.has_many(clip.keys, now)) or set())
            - self.following.owing.replaced(rung).keys()
            for _, rung in self.askable()
        )

    def held(self, rung: Rung, keys: Sequence[str]) -> dict[str, AudioEntry] | None:
        """What a tier has, but for what was replaced while it was away; None: it failed."""
        answer = rung.attempt("get", lambda tier: tier.get_many(keys))
        replaced = self.following.owing.replaced(rung)
        if not (answer and replaced):
            return answer
        return {key: one for key, one in answer.items() if one.created >= replaced.get(key, 0)}

    def where(self, clip: Clip) -> dict[str, AudioEntry | None]:
        """What each tier holds of a clip, for people who look; counts and fills nothing."""
        return {
            rung.tier.name: next(
                iter((rung.attempt("get", lambda tier: tier.get_many(clip.keys)) or {}).values()),
                None,
            )
            for rung in self.rungs
        }

    def _ask(self, rung: Rung, missing: Mapping[str, Clip]) -> tuple[dict[str, AudioEntry], Mark]:
        """What a tier has of the missing, and when it was asked."""
        keys = [key for clip in missing.values() for key in clip.keys]
        answer, mark = self._answer(rung, keys)
        if answer is None:
            return {}, mark
        found = self._fresh(missing, answer)
        hits, misses = len(found), len(missing) - len(found)
        rung.count.counts[HITS] += hits
        rung.count.counts[MISSES] += misses
        return found, mark

    def _answer(self, rung: Rung, keys: Sequence[str]) -> tuple[dict[str, AudioEntry] | None, Mark]:
        """None, too, where a tier lacks a removal: it says so with its answer, is told what it
        missed, and is asked again.
        """
        following, mark = self.following, self.mark()
        for tried in range(READINGS):
            known = following.known()  # behind the mark: what is heard now is not brought back
            if not following.admits(rung, known):
                break
            answer = self.held(rung, keys)
            late = answer is not None and following.lacks(rung, known, answered=True)
            news = answer is not None and tried + 1 < TRIES and following.news_from(rung)
            if not late and not news:
                return answer, mark
            following.now()
            mark = self.mark()
        return None, mark

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

    # Out

    def remove(self, keys: Sequence[str]) -> bool:
        """Remove keys from every tier; True when one had any of them."""
        return self._everywhere([Removal(KEY, key) for key in keys])

    def remove_older(self, key: str, before: int) -> bool:
        """Remove a key's entry from every tier where it was created before then (ms)."""
        return self._everywhere([Removal(KEY, key, before=before)])

    def remove_group(self, field: str, value: str, namespace: str = "") -> bool:
        """Remove the entries of a text in a namespace, a source or a tag; True: one was there."""
        return self._everywhere([Removal(field, value, namespace)])

    def remove_text_in(self, text_digest: str, namespace: str) -> bool:
        """As `remove_group`, of a text in a namespace of which the digest alone is known."""
        return self._everywhere([Removal(TEXT, text_digest, namespace, digested=True)])

    def clear(self) -> None:
        """Empty every tier of this cache's entries."""
        self._everywhere([Removal(ALL)])
        self._drained()

    def _everywhere(self, removals: Sequence[Removal]) -> bool:
        """Noted before, so that a back-fill sees it; and after, for one that read in between:
        what that put into memory before the second note goes with the second removal.
        """
        self.removals.note(removals)
        alone = [rung for rung in reversed(self.rungs) if rung.tier.log is None]
        removed = self.following.remove(removals)
        removed = self._remove_from(alone, removals) or removed
        with self._filling:
            self.removals.note(removals)
            self._remove_from(self.rungs[: self._inline], removals)
        return removed

    def _remove_from(self, rungs: Sequence[Rung], removals: Sequence[Removal]) -> bool:
        """From tiers without a log of their own."""
        removed = [rung.attempt("remove", lambda tier: tier.remove_all(removals)) for rung in rungs]
        return any(removed)
