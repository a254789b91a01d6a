"""Until when memory may be trusted, and what is done that it may be trusted again (law 10).

The pulse reads the logs while memory is in use. Who finds that it did not, because it was late or
the process stood still, reads them himself before memory serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from audiocache.clock import Clock
from audiocache.entries import NEVER
from audiocache.forks import RenewedLock, renew_in_child
from audiocache.hearing import Listener
from audiocache.owing import Owing
from audiocache.reconciling import Reconciler
from audiocache.removals import Cursor, Guard, Removal, Removals
from audiocache.rung import Rung
from audiocache.stats import HITS, MISSES

BEAT_SECONDS: Final = 0.3
TRUST_MS: Final = 900
"""From one reading; the pulse may miss a beat."""
WAIT_SECONDS: Final = 0.3
"""For another thread that reads; then no log answers, and memory serves while it is blind."""


class Following:
    """Keeps one ladder's tiers in step with the removal logs that they carry."""

    def __init__(
        self,
        rungs: Sequence[Rung],
        notes: Removals,
        filling: RenewedLock,
        clock: Clock,
        blind_ms: int,
        trust: Callable[[int], None],
    ) -> None:
        self.listener = Listener(rungs, notes, filling)
        self._reconciler = Reconciler(self.listener)
        self._clock = clock
        self._blind_ms = blind_ms
        self._trust = trust
        self._until = 0
        self._heard_at = clock()
        self._uses = 0
        self.owing = Owing(self.listener, self._reconciler, clock)
        self.follows = any(rung.tier.log for rung in rungs)
        if not self.follows:
            self._trust_until(NEVER)
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """A lock that another thread held is held for ever in the child."""
        self._turn = threading.Lock()

    @property
    def trusted(self) -> bool:
        """May memory serve?"""
        return self._clock() < self._until

    def catch_up(self) -> None:
        """Read the logs unless it was done lately."""
        if not self.trusted:
            self._take_turn(again=False)

    def now(self) -> None:
        """Read the logs."""
        if self.follows:
            self._take_turn(again=True)

    def _take_turn(self, *, again: bool) -> None:
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            self._trust_until(max(self._until, self._heard_at + self._blind_ms))
            return
        try:
            if again or not self.trusted:
                self._read()
        finally:
            self._turn.release()

    def _read(self) -> None:
        self.owing.settle(heard=False)
        heard = [self.listener.hear_ledger(), self._hear_stream()]
        self.owing.settle(heard=True)
        self.owing.tell_replaced()
        self.listener.begin()
        if any(heard):
            self._heard_at = self._clock()
            self._trust_until(self._heard_at + TRUST_MS)
        else:
            self._trust_until(self._heard_at + self._blind_ms)

    def _hear_stream(self) -> bool:
        if not self.listener.hear_stream():
            return False
        if self.listener.turned:
            self._reconciler.repair()
        self._reconciler.publish()
        heard = self.listener.hear_stream()
        self._reconciler.follow()
        return heard

    def _trust_until(self, instant: int) -> None:
        self._until = instant
        self._trust(instant)

    # Beside the way

    def beat(self) -> None:
        """Read the logs while memory is in use, or a tier is to be told something; else whoever
        uses memory next does.
        """
        if not self.follows:
            return
        counts = [rung.count.counts for rung in self.listener.memories]
        uses = sum(count[HITS] + count[MISSES] for count in counts)
        used, self._uses = uses != self._uses, uses
        if used or self.owing.anything:
            self.now()
        else:
            self._trust_until(0)

    # On the way

    def admits(self, rung: Rung) -> bool:
        """May this tier be asked? Not one that still holds what was removed while it was away."""
        if rung.tier.log is None:
            return True
        end = self.listener.in_stream
        if rung.circuit.available and self._unfit(rung, end):
            self.now()
        return not self._unfit(rung, end)

    def _unfit(self, rung: Rung, end: Cursor | None) -> bool:
        """May it hold what was removed, as far as this process knows?"""
        stream = self.listener.stream_rung
        if rung is stream:
            return self._reconciler.behind or self.owing.owes(rung)
        # While Redis is away again, nobody can say what the database has missed.
        able = stream is not None and stream.circuit.available
        return (able and self._reconciler.lags_behind(end)) or self.owing.owes(rung)

    def known(self) -> int:
        """Up to where this process knows the ledger."""
        return self.listener.ledger.position if self.listener.ledger_rung else 0

    def answers_late(self, rung: Rung, known: int) -> bool:
        """Did a tier say with its answer that it lacks some of what is known of the ledger?"""
        if rung is not self.listener.stream_rung:
            return False
        return self.listener.stream.reached_ledger < known

    def news_from(self, rung: Rung) -> bool:
        """Did a tier say with its answer that there is more to hear of?"""
        if rung is not self.listener.stream_rung:
            return False
        end = self.listener.stream.end
        return bool(end.history) and end != self.listener.in_stream

    def guard(self) -> Guard:
        """How far the logs were read."""
        return self.listener.guard()

    # Out

    def remove(self, removals: Sequence[Removal]) -> bool:
        """Remove from the tiers with a log; True when an entry was there."""
        if not self.follows:
            return False
        removed = self.owing.remove(removals)
        self.now()  # so that what is stored next is not taken for older
        return removed
