"""What this process could not tell a tier (law 10): removals that its log did not take, and which
of its sounds were replaced while it could not take the new ones.

It is told when it answers again, and not believed before. What is owed ends with the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audiocache.clock import Clock
from audiocache.entries import AudioEntry
from audiocache.forks import RenewedLock
from audiocache.hearing import Listener
from audiocache.reconciling import Reconciler
from audiocache.removals import ALL, KEY, Cursor, Origin, Removal, Stream
from audiocache.rung import Rung

REMOVALS: Final = 1000
REPLACED: Final = 10_000
"""Keys by tier; of more than these the oldest are forgotten, for another's sound is still whole."""
AGAIN_MS: Final = 5_000
"""After a tier refused to hear what was replaced; a full one still answers look-ups."""


@dataclass(slots=True, eq=False)
class Debt:
    """Removals that the database has not heard of."""

    removals: Sequence[Removal]
    at: int
    """When, in ms."""
    stream: Cursor | None = None
    """Redis' stream says it up to there; None: no log does."""


class Owing:
    """Tells the tiers with a log what was removed, and remembers what they were not told."""

    def __init__(self, listener: Listener, reconciler: Reconciler, clock: Clock) -> None:
        self._listener = listener
        self._reconciler = reconciler
        self._clock = clock
        self._lock = RenewedLock()
        self.debts: deque[Debt] = deque()
        self._older: dict[str, dict[str, int]] = {}
        """By tier and key: what was created before then (ms) was replaced."""
        self._again_at = 0

    @property
    def anything(self) -> bool:
        """Is there something to tell?"""
        return bool(self.debts) or any(self._older.values())

    def owes(self, rung: Rung) -> bool:
        """May this tier hold what was removed?"""
        if rung is self._listener.ledger_rung:
            return bool(self.debts)
        return any(debt.stream is None for debt in list(self.debts))

    # Removals

    def remove(self, removals: Sequence[Removal]) -> bool:
        """Remove from the tiers with a log; True when an entry was there."""
        debt = Debt(removals, self._clock())
        removed, settled = self._tell(debt)
        if not settled:
            self._owe(debt)
        return removed

    def _owe(self, debt: Debt) -> None:
        with self._lock:
            if len(self.debts) >= REMOVALS:  # so many that all must go
                untold = any(other.stream is None for other in self.debts)
                self.debts.clear()
                debt = Debt([Removal(ALL)], debt.at, None if untold else debt.stream)
            self.debts.append(debt)

    def settle(self, *, heard: bool) -> None:
        """Tell what no log has; with `heard`, what only Redis' stream had, which was just read."""
        for debt in list(self.debts):
            if (debt.stream is not None) is not heard:
                continue
            if not self._settled(debt):
                break
            with self._lock:
                if debt in self.debts:  # it may have been given up for one of all
                    self.debts.remove(debt)

    def _settled(self, debt: Debt) -> bool:
        if debt.stream is None:
            return self._tell(debt, late=True)[1]
        if self._stands(debt.stream):
            return self._reconciler.has_followed(debt.stream)
        return self._remove_from(self._listener.ledger_rung, debt, None, late=True) is not None

    def _stands(self, said: Cursor) -> bool:
        """Does Redis' stream still say it, as far as we know?"""
        rung, end = self._listener.stream_rung, self._listener.stream.end
        reaches = end.history == said.history and end.position >= said.position
        return rung is not None and rung.circuit.available and reaches

    def _tell(self, debt: Debt, *, late: bool = False) -> tuple[bool, bool]:
        """Whether an entry was there, and whether nothing is owed."""
        ledger, stream = self._listener.ledger_rung, self._listener.stream_rung
        first = self._remove_from(ledger, debt, None, late=late)
        second = self._remove_from(stream, debt, first and first[1], late=late)
        if second and second[1]:
            self._reconciler.publish()
        if second and not first and ledger:
            debt.stream = self._end()
        removed = sum(said[0] for said in (first, second) if said)
        return bool(removed), bool(first if ledger else second)

    def _remove_from(
        self, rung: Rung | None, debt: Debt, origin: Origin | None, *, late: bool
    ) -> tuple[int, Origin | None] | None:
        """How many, and what Redis must hear of first; None when it was not told."""
        if rung is None or (log := rung.tier.log) is None:
            return None
        if origin and isinstance(log, Stream):
            log.ledger = origin.ledger
        return rung.attempt("remove", lambda _: log.remove(debt.removals, debt.at, origin, late))

    def _end(self) -> Cursor | None:
        """Where the stream ends now."""
        assert self._listener.stream_rung is not None
        log = self._listener.stream
        reading = self._listener.stream_rung.attempt("", lambda _: log.read(None))
        return reading.cursor if reading and reading.cursor.history else None

    # Replacements

    def stored(
        self, rung: Rung, entries: Iterable[AudioEntry], taken: Collection[str] | None
    ) -> None:
        """What a tier took; where it failed (None), what it holds under those keys is older."""
        if taken is None:
            self._missed(self._older.setdefault(rung.tier.name, {}), entries)
        elif older := self._older.get(rung.tier.name):
            with self._lock:
                for key in taken:
                    older.pop(key, None)

    def _missed(self, older: dict[str, int], entries: Iterable[AudioEntry]) -> None:
        with self._lock:
            for entry in entries:
                older.pop(entry.key, None)
                older[entry.key] = entry.created
            while len(older) > REPLACED:
                del older[next(iter(older))]

    def replaced(self, rung: Rung) -> Mapping[str, int]:
        """By key: what a tier holds of it from before then (ms) was replaced."""
        return self._older.get(rung.tier.name, {})

    def tell_replaced(self) -> None:
        """Tell the tiers which of their sounds are older."""
        if self._clock() < self._again_at:
            return
        for rung in (self._listener.ledger_rung, self._listener.stream_rung):
            if rung and rung.circuit.available and self.replaced(rung):
                self._tell_replaced(rung)

    def _tell_replaced(self, rung: Rung) -> None:
        with self._lock:
            told = dict(self.replaced(rung))
        debt = Debt([Removal(KEY, key, before=end) for key, end in told.items()], self._clock())
        if self._remove_from(rung, debt, None, late=False) is None:
            self._again_at = self._clock() + AGAIN_MS
            return
        with self._lock:
            for key in [key for key, end in self.replaced(rung).items() if told.get(key) == end]:
                del self._older[rung.tier.name][key]
