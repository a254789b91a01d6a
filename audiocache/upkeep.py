"""What a cache does beside its callers' way: counters and hit times, written in batches."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from audiocache.flights import Flights
from audiocache.following import BEAT_SECONDS
from audiocache.forks import renew_in_child
from audiocache.ladder import Ladder
from audiocache.pulse import pulse
from audiocache.stats import Recorder

FLUSH_SECONDS: Final = 5.0
SAVED: Final = "cache.saved"
"""The counter of what hits would have cost, in millionths."""
PROBE_SECONDS: Final = 0.5
"""How often it is asked whether a broken tier is to be tried; the circuit says when."""

after_flush: Final[list[Callable[[], object]]] = []
"""What the pulse does as soon as it has flushed a cache: what hits saved is known by then."""


class Upkeep:
    """Flushes one cache, by the pulse of the process or when asked."""

    def __init__(self, ladder: Ladder, recorder: Recorder, flights: Flights[Any]) -> None:
        self._ladder = ladder
        self._flights = flights
        self._recorder = recorder
        self._flushed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._scheduled = False
        renew_in_child(self)

    def after_fork(self) -> None:
        """What the parent counted so far, it writes itself."""
        self._lock = threading.Lock()
        self._ladder.touches.forget()
        self._flushed = self._totals()

    def ensure(self) -> None:
        """See that the pulse beats, once there is something to flush; cheap."""
        if self._ladder.all_inline:
            return
        if not self._scheduled:
            self._scheduled = True
            pulse.every(FLUSH_SECONDS, self.beat)
            pulse.every(PROBE_SECONDS, self.probe)
            pulse.every(BEAT_SECONDS, self.listen)
            self._ladder.following.catch_up()
        pulse.ensure()

    def rest(self) -> None:
        """The pulse leaves us alone until the cache is used again, and closes what it opened."""
        if self._scheduled:
            self._scheduled = False
            for work in (self.beat, self.probe, self.listen):
                pulse.forget(work)
            pulse.once(self._ladder.release)

    def beat(self) -> float | None:
        """Flush, and hold no connection until the next time, unless there is always one."""
        self._flights.leave_dead()
        before = self._flushed
        if not self.flush(pulse.allowance()):
            return 0.0  # the others' turn first
        for work in after_flush:
            work()
        if self._flushed is not before or self._ladder.following.trusted:
            self._ladder.pause()  # in use: a server would be connected to for ever
        else:
            self._ladder.release()
        return None

    def probe(self) -> None:
        """Ask the broken tiers whether they work again, so that no caller has to find out."""
        for rung in self._ladder.rungs:
            rung.probe()

    def listen(self) -> None:
        """Hear what was removed elsewhere; not once more at the end."""
        if pulse.running:
            self._ladder.following.beat()
            self._ladder.rest()

    def flush(self, until: float = math.inf) -> bool:
        """Write down what was counted since the last time; what fails is kept for the next.

        False when at that time (of the monotonic clock) there was more. So long another who
        flushes is waited for: he writes the same.
        """
        patience = -1 if until == math.inf else max(0.0, until - time.monotonic())
        lock = self._lock
        if not lock.acquire(timeout=patience):
            return True
        try:
            return self._flush(until)
        finally:
            lock.release()

    def _flush(self, until: float) -> bool:
        done = self._ladder.flush_touches(until)
        totals = self._totals()
        deltas = {name: n for name in totals if (n := totals[name] - self._flushed[name])}
        if deltas and self._ladder.add_counts(deltas):
            self._flushed = totals
        return done

    def installation(self) -> dict[str, int]:
        """Counters of all processes."""
        return self._ladder.read_counts()

    def totals(self) -> Counter[str]:
        """Counters of this process by flat name."""
        return self._totals()

    def _totals(self) -> Counter[str]:
        totals = self._recorder.totals()
        totals.update(self._recorder.details())
        if self._recorder.enabled:
            totals[SAVED] = self._ladder.touches.saved
        for rung in self._ladder.rungs:
            for reason, number in rung.tier.counts.items():
                totals[f"{rung.tier.name}.{reason}"] = number
        return totals
