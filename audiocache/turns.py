"""Turns: of all processes, one makes a thing; the others wait for what comes of it.

A turn is a lease that the pulse extends. Who is told that another has the turn waits for the
outcome of that very turn. No thread is held meanwhile: the pulse asks for all at once, at most
every 20 ms, while somebody waits.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final

from audiocache.coordinator import Coordinator
from audiocache.forks import renew_in_child
from audiocache.leases import ABANDONED, Lease, new_owner
from audiocache.pulse import pulse

LEASE_SECONDS: Final = 6.0
"""A turn whose process is gone is free again after this."""
EXTEND_SECONDS: Final = LEASE_SECONDS / 3
POLL_SECONDS: Final = 0.02
IDLE_SECONDS: Final = 3600.0
RUN_SECONDS: Final = 600.0


class Turn:
    """Ours. `settle` must be called, whatever happens."""

    def __init__(self, turns: Turns, name: str, owner: str, seconds: float) -> None:
        self.name = name
        self.owner = owner
        self.until = time.monotonic() + seconds
        """It is not extended after this."""
        self.outcome: str | None = None
        """What came of it; None while it goes on."""
        self._turns = turns

    def settle(self, outcome: str) -> None:
        """Give it back with what came of it, for those who wait."""
        self._turns.settle(self, outcome)


class Wait:
    """For the outcome of another's turn."""

    def __init__(self, name: str, lease: Lease, asked: float) -> None:
        """`asked`: before the question that `lease` answers, by the monotonic clock."""
        self.name = name
        self.owner = lease.holder
        self.future: Future[str | None] = Future()
        """The outcome; None when there is none to be had, and the turn may be free."""
        self.future.set_running_or_notify_cancel()
        self._began = asked
        self._learn(lease)

    def heed(self, lease: Lease | None) -> bool:
        """Is it over? `lease` is what is known now; then the future is done."""
        if lease is not None and lease.settled_by == self.owner:
            self.future.set_result(lease.outcome)
        elif self._goes_on(lease):
            return False
        else:
            self.future.set_result(None)
        return True

    def _goes_on(self, lease: Lease | None) -> bool:
        """An owner that no store knows may be moving to another: it has until its end.

        What ended before this wait began is of an earlier turn, in a store used before.
        """
        waited_ms = (time.monotonic() - self._began) * 1000
        if lease is None or lease.left_ms < -waited_ms:
            return time.monotonic() < self._end
        self._learn(lease)
        return lease.holder == self.owner and lease.left_ms > 0

    def _learn(self, lease: Lease) -> None:
        self._end = time.monotonic() + lease.left_ms / 1000


class Turns:
    """The turns of one cache: those that this process has, and those that it waits for."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self._scheduled = False
        self.after_fork()
        renew_in_child(self)

    def take(self, name: str, seconds: float) -> Turn | Wait:
        """Our turn for at most `seconds`, or the wait for another's.

        Where nothing can say who has it, it is ours.
        """
        asked = time.monotonic()
        turn, lease = self._ask(name, seconds)
        if lease is None or lease.holder == turn.owner:
            return turn
        wait = Wait(name, lease, asked)
        self._schedule()
        while not (pulse.running or wait.future.done()):
            self._look_ourselves(wait)
        if not wait.future.done():
            with self._lock:
                self._waits.add(wait)
            self._beat_soon()
        return wait

    @contextmanager
    def only_one(self, name: str, seconds: float = RUN_SECONDS) -> Iterator[bool]:
        """True for the one whose turn it is; it is given back at the end, or after `seconds`.

        True also where nothing can say: two clean-ups do no harm.
        """
        turn, lease = self._ask(name, seconds)
        if lease is not None and lease.holder != turn.owner:
            yield False
            return
        try:
            yield True
        finally:
            turn.settle(ABANDONED)

    @contextmanager
    def one_by_one(self, name: str, seconds: float) -> Iterator[None]:
        """Our turn after those of all others, which take `seconds` each at most.

        Where nothing can say whose it is, it is ours at once.
        """
        while isinstance(turn := self.take(name, seconds), Wait):
            turn.future.result()
        try:
            yield
        finally:
            turn.settle(ABANDONED)

    def settle(self, turn: Turn, outcome: str) -> None:
        """See `Turn.settle`. What no store heard of, it does not hear now."""
        turn.outcome = outcome  # first: who extends it at this moment settles it again
        with self._lock:
            held = self._held.pop(turn.owner, None)
        if held is not None:
            self._coordinator.settle(turn.name, turn.owner, outcome)

    def close(self) -> None:
        """Give connections back."""
        self._coordinator.close()

    # On the pulse

    def beat(self) -> float:
        """Extend what we hold where it is due, look for what we wait for; seconds to the next."""
        if time.monotonic() >= self._extend_at:
            self._extend()
        with self._lock:
            waits = list(self._waits)
        if waits:
            self._poll(waits)
        with self._lock:
            if self._waits:
                return POLL_SECONDS
            if self._held:
                return max(0.0, self._extend_at - time.monotonic())
        self._coordinator.release()
        return IDLE_SECONDS

    def _extend(self) -> None:
        now = time.monotonic()
        self._extend_at = now + EXTEND_SECONDS
        with self._lock:
            held = [turn for turn in self._held.values() if turn.until > now]
        if held:
            owners = {turn.name: turn.owner for turn in held}
            self._coordinator.extend(owners, _ms(LEASE_SECONDS))
        for turn in held:
            if turn.outcome is not None:  # before that, perhaps: then it was just taken again
                self._coordinator.settle(turn.name, turn.owner, turn.outcome)

    def _poll(self, waits: list[Wait]) -> None:
        found = self._coordinator.look({wait.owner: wait.name for wait in waits})
        for wait in waits:
            if wait.heed(found.get(wait.owner)):
                with self._lock:
                    self._waits.discard(wait)

    # Inside

    def _ask(self, name: str, seconds: float) -> tuple[Turn, Lease | None]:
        """A turn, which is ours if the lease says so, or where there is no telling."""
        turn = Turn(self, name, new_owner(), seconds)
        lease = self._coordinator.take(name, turn.owner, _ms(min(seconds, LEASE_SECONDS)))
        if lease is not None and lease.holder == turn.owner:
            self._hold(turn)
        return turn, lease

    def _hold(self, turn: Turn) -> None:
        with self._lock:
            if not self._held:
                self._extend_at = time.monotonic() + EXTEND_SECONDS
            self._held[turn.owner] = turn
        self._beat_soon()

    def _look_ourselves(self, wait: Wait) -> None:
        """Where the system gives the pulse no thread, nobody else would ever look."""
        self._poll([wait])
        time.sleep(POLL_SECONDS)
        pulse.ensure()

    def _beat_soon(self) -> None:
        self._schedule()
        pulse.soon(self.beat)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            pulse.every(IDLE_SECONDS, self.beat)
        pulse.ensure()

    def after_fork(self) -> None:
        """Start anew: turns and waits are the parent's."""
        # Weakly: the turn of a thread that an exception took out of here ends by itself.
        self._held: weakref.WeakValueDictionary[str, Turn] = weakref.WeakValueDictionary()
        self._waits: set[Wait] = set()
        self._extend_at = 0.0
        self._lock = threading.Lock()


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
