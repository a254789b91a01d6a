"""Up the tiers: a new clip into each, a found one into those above; never what was removed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from audiocache.care import Care
from audiocache.entries import AudioEntry
from audiocache.following import Following
from audiocache.forks import RenewedLock
from audiocache.removals import Guard, Removals
from audiocache.rung import Rung
from audiocache.stats import BACKFILLS, PUTS

TRIES: Final = 3
"""At storing a clip while others remove clips."""


class Mark(NamedTuple):
    """When a reading or a making began: in this process, and in the logs."""

    note: int
    guard: Guard


class Storing(Care, ABC):
    """Fills the tiers of a ladder."""

    removals: Removals
    following: Following
    _filling: RenewedLock

    @abstractmethod
    def remove_older(self, key: str, before: int) -> bool:
        """Remove a key's entry from every tier where it was created before then (ms)."""

    def store(self, entries: Sequence[AudioEntry]) -> Counter[str]:
        """Put entries into every tier, the lowest first; how many tiers took each key.

        A tier that has a later one counts as one that took it, and those above get none.
        """
        taken: Counter[str] = Counter()
        mark, latest = self.mark(), list(entries)
        for rung in reversed(self.rungs):
            keys = self._put(rung, latest)
            later = self._later(rung, latest, keys)
            taken.update(keys | later)
            if self.following.news_from(rung):  # those above hear it before they take the clip
                self.following.now()
            latest = [one for one in latest if one.key not in later]
        for entry in entries:  # removed meanwhile: a tier may have taken it afterwards
            if self.removals.since(mark.note, entry, told=entry.created):
                self.remove_older(entry.key, entry.created + 1)
        return taken

    def _later(self, rung: Rung, entries: Sequence[AudioEntry], taken: set[str]) -> set[str]:
        """The keys that a tier did not take because it has a later entry."""
        left = {one.key: one.created for one in entries if one.key not in taken}
        if not left or rung.tier.log is None:
            return set()
        held = rung.attempt("", lambda tier: tier.get_many(list(left))) or {}
        return {key for key, one in held.items() if one.created > left[key]}

    def store_unless_removed(self, entry: AudioEntry, mark: Mark) -> int | None:
        """Put an entry into every tier, unless it was removed since the mark: then None.

        How many tiers took it, as `store` counts. One whose log may say more of it by now takes
        nothing: look again.
        """
        left = takers = self._takers(entry)
        for _ in range(TRIES):
            self.following.now()
            if self.removals.since(mark.note, entry):
                break
            guard = self.following.guard()
            left = self._offer(entry, left, guard)
            if left:
                self.following.now()
            if not left or guard == self.following.guard():
                break
        taken = len(takers) - len(left)
        if not self.removals.since(mark.note, entry):
            return taken
        if taken:  # and not what somebody put there after the removal
            self.remove_older(entry.key, entry.created + 1)
        return None

    def _offer(self, entry: AudioEntry, rungs: Sequence[Rung], guard: Guard) -> list[Rung]:
        """The tiers that want it, and did not take it; where one has a later entry, none."""
        left = []
        for rung in rungs:
            if not self._put(rung, [entry], guard):
                if self._later(rung, [entry], set()):
                    break
                left.append(rung)
        return left

    def _takers(self, entry: AudioEntry) -> list[Rung]:
        """The lowest first."""
        return [rung for rung in reversed(self.rungs) if rung.tier.takes_spares or not entry.spare]

    def _put(
        self, rung: Rung, entries: Sequence[AudioEntry], guard: Guard | None = None
    ) -> set[str]:
        """The keys taken: none before a tier has heard what was removed while it was away."""
        how: dict[str, Any] = {"guard": guard} if guard and rung.tier.log else {}
        keys = None
        self.touches.note_costs(entries)
        if self.following.admits(rung):
            keys = rung.attempt("put", lambda tier: tier.put_many(entries, **how))
        if rung.tier.log:
            self.following.owing.stored(rung, entries, keys)
        number = len(keys or ())
        rung.count.counts[PUTS] += number
        return keys or set()

    def mark(self) -> Mark:
        """The present, as this process knows it; to be asked about later."""
        return Mark(self.removals.mark(), self.following.guard())

    def mark_making(self) -> Mark:
        """The present as the logs have it: what was removed before is not held against a clip
        that is made after it.
        """
        self.following.now()
        return self.mark()

    def fill_above(self, depth: int, entries: Iterable[AudioEntry], mark: Mark) -> None:
        """Back-fill: an entry's instants travel with it, so its life is not lengthened.

        What was removed since the mark is not brought back.
        """
        batch = list(entries)
        for rung in reversed(self.rungs[:depth] if batch else ()):
            if rung.tier.inline:
                # Under the lock under which a removal ends: not for a moment is it back there.
                with self._filling:
                    self._fill(rung, self._not_removed(batch, mark), mark)
            else:
                self._fill(rung, self._not_removed(batch, mark), mark)
                self._take_back(rung, batch, mark)

    def _fill(self, rung: Rung, batch: Sequence[AudioEntry], mark: Mark) -> None:
        if batch:
            how: dict[str, Any] = {"guard": mark.guard} if rung.tier.log else {}
            keys = rung.attempt("put", lambda tier: tier.put_many(batch, only_missing=True, **how))
            number = len(keys or ())
            rung.count.counts[BACKFILLS] += number

    def give(self, rung: Rung, entries: Sequence[AudioEntry], mark: Mark) -> None:
        """Put into one tier what another had at the mark."""
        self._put(rung, self._not_removed(entries, mark), mark.guard)

    def _not_removed(self, batch: Sequence[AudioEntry], mark: Mark) -> list[AudioEntry]:
        return [entry for entry in batch if not self.removals.since(mark.note, entry)]

    def _take_back(self, rung: Rung, batch: Sequence[AudioEntry], mark: Mark) -> None:
        late = [entry.key for entry in batch if self.removals.since(mark.note, entry)]
        if late:
            rung.attempt("remove", lambda tier: tier.remove_many(late))
