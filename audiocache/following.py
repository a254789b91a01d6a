"""Until when memory may be trusted, and what is done that it may be trusted again (law 10).

The pulse reads the logs while memory is in use. Who finds that it did not, because it was late or
the process stood still, reads them himself before memory serves. Of a stream that Redis may lose
the pulse takes note also while nobody uses memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from audiocache.clock import Clock
from audiocache.entries import NEVER
from audiocache.forks import RenewedLock, renew_in_child
from audiocache.hearing import Listener
from audiocache.owing import Owing
from audiocache.reconciling import Reconciler
from audiocache.removals import Cursor, Guard, Removal, Removals
from audiocache.rung import Rung
from audiocache.stats import ERRORS, HITS, MISSES

BEAT_SECONDS: Final = 0.3
TRUST_MS: Final = 900
"""From one reading; the pulse may miss a beat."""
IDLE_SECONDS: Final = 1.0
"""Between looks at the stream while memory is not in use."""
WAIT_SECONDS: Final = 0.3
"""For another thread that reads; then no log answers, and memory serves while it is blind."""
TOLD_SECONDS: Final = 1.0
"""At most, until a tier has heard of removals."""
READINGS: Final = 10
"""Likewise. Where nothing is in trouble one does."""


class Known(NamedTuple):
    """What this process knew of the logs when a look-up began: what is removed later than that
    may be found, and need not.
    """

    ledger: int
    stream: Cursor | None


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
        self._looked = 0.0
        self._begun = self._ended = 0
        """The latest reading, and the latest that was brought to its end."""
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
        begun = self._begun
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            self._trust_until(max(self._until, self._heard_at + self._blind_ms))
            return
        try:
            # What another thread began to read since is as new.
            if self._ended <= begun if again else not self.trusted:
                self._read()
        finally:
            self._turn.release()

    def _read(self) -> None:
        """What was removed since the reading began may not have been heard: trust runs from then,
        also where the process stood still in between.
        """
        self._begun += 1
        began = self._clock()
        self.owing.settle(heard=False)
        heard = [self.listener.hear_ledger(), self._hear_stream()]
        self.owing.settle(heard=True)
        self.owing.tell_replaced()
        self.listener.begin()
        if any(heard):
            self._heard_at = began
            self._trust_until(self._heard_at + TRUST_MS)
        else:
            self._trust_until(self._heard_at + self._blind_ms)
        self._ended = self._begun

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
        """Read the logs while memory is in use, or a tier is to be told something, or the stream
        has moved; else whoever uses memory next does.
        """
        if not self.follows:
            return
        counts = [rung.count.counts for rung in self.listener.memories]
        uses = sum(count[HITS] + count[MISSES] for count in counts)
        used, self._uses = uses != self._uses, uses
        if used or self.owing.anything or self._stream_moved():
            self.now()
        else:
            self._trust_until(0)

    def _stream_moved(self) -> bool:
        """What Redis says now may be lost with it, and what it has lost our ledger may know."""
        listener, now = self.listener, time.monotonic()
        if listener.stream_rung is None or now < self._looked + IDLE_SECONDS:
            return False
        self._looked = now
        end = listener.stream_rung.attempt("", lambda _: listener.stream.read(None))
        return end is not None and (end.cursor != listener.in_stream or self._reconciler.behind)

    # On the way

    def known(self) -> Known:
        """What is to be held against a tier's answer from now on."""
        ledger = self.listener.ledger.position if self.listener.ledger_rung else 0
        return Known(ledger, self.listener.in_stream)

    def admits(self, rung: Rung, known: Known | None = None) -> bool:
        """May this tier be asked? Not one that still holds what was removed while it was away.

        It is told first. `known`: only what was removed before that counts.
        """
        if rung.tier.log is None:
            return True
        known, ends = known or self.known(), time.monotonic() + TOLD_SECONDS
        for _ in range(READINGS):
            if not self._unfit(rung, known):
                return True
            troubles = self._troubles()
            if not rung.circuit.available or time.monotonic() >= ends:
                return False
            self.now()
            if troubles is None or troubles != self._troubles():
                break
        return not self._unfit(rung, known)

    def _troubles(self) -> int | None:
        """How often the tiers with a log failed so far; None: one of them is away."""
        rungs = [rung for rung in (self.listener.ledger_rung, self.listener.stream_rung) if rung]
        away = not all(rung.circuit.available for rung in rungs)
        return None if away else sum(rung.count.counts[ERRORS] for rung in rungs)

    def _unfit(self, rung: Rung, known: Known) -> bool:
        """May it hold what was removed, as far as this process knew?"""
        stream = self.listener.stream_rung
        if rung is stream:
            return self.lacks(rung, known) or self.owing.owes(rung)
        # While Redis is away again, nobody can say what the database has missed.
        able = stream is not None and stream.circuit.available
        return (able and self._reconciler.lags_behind(known.stream)) or self.owing.owes(rung)

    def lacks(self, rung: Rung, known: Known, *, answered: bool = False) -> bool:
        """Did a tier say that it lacks some of what is known of the ledger? `answered`: with the
        answer that this thread has just got; others may have got later ones.
        """
        if rung is not self.listener.stream_rung or self.listener.ledger_rung is None:
            return False
        # Of a ledger that began anew there is no more to hear than it has.
        wanted = min(known.ledger, self.listener.ledger.position)
        stream = self.listener.stream
        return (stream.answered_ledger if answered else stream.reached_ledger) < wanted

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
