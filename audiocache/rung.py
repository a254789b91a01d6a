"""One tier as the ladder sees it: with its counters, and passed over while it is broken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from time import perf_counter_ns
from typing import Final, TypeVar

from audiocache.circuit import PROBE_SECONDS, Circuit
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.pulse import pulse
from audiocache.stats import Recorder
from audiocache.tiers.base import Tier
from audiocache.workers import Executor

R = TypeVar("R")

FIRST_PROBE_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 0.05


class Rung:
    """A tier on the ladder: the place where trouble in a tier ends (law 3)."""

    def __init__(
        self, tier: Tier, recorder: Recorder, executor: Executor, *, probed: bool = True
    ) -> None:
        """`probed`: the pulse calls `probe`, so that no caller has to find out."""
        self.tier = tier
        self._probed = probed
        self._executor = executor
        self.count = recorder.count_for(tier.name)
        self.circuit = Circuit(tier.name, first=FIRST_PROBE_SECONDS)

    def attempt(self, operation: str, call: Callable[[Tier], R]) -> R | None:
        """What `call` gets from the tier; None when it is passed over or fails.

        `operation` is whose latency it is; "" is nobody's.
        """
        if not (self.circuit.available or self._may_probe()):
            return None
        return self._asked(operation, call)[0]

    def insist(self, operation: str, call: Callable[[Tier], R], seconds: float) -> R | None:
        """As `attempt`, and again for so long where the tier is busy, or its outage is that young:
        a process that has much to do takes its own lateness for one.
        """
        until = time.monotonic() + seconds
        if not (self.circuit.available or self.circuit.is_open_since(seconds)):
            return self.attempt(operation, call)
        while True:
            answer, error = self._asked(operation, call)
            late = isinstance(error, TierBusy | TierUnavailable)
            if not late or time.monotonic() >= until:
                return answer
            time.sleep(AGAIN_SECONDS)

    def recheck(self, seconds: float) -> None:
        """Where it broke down so shortly ago: ask it once more, whenever the next probe is due."""
        if self.circuit.is_open_since(seconds):
            self._asked("", lambda tier: tier.check())

    def _asked(
        self, operation: str, call: Callable[[Tier], R]
    ) -> tuple[R | None, TierError | None]:
        """The answer, or why there is none."""
        started = perf_counter_ns()
        try:
            result = self.do(call)
        except TierError as error:
            self.count.failed(error)
            self.circuit.failed(error, operation)
            return None, error
        self.circuit.worked(operation)
        if operation:
            self.count.took(operation, perf_counter_ns() - started)
        return result, None

    @property
    def is_passed_over(self) -> bool:
        """Would `attempt` be in vain? Asked where much is to be prepared for it."""
        return not (self.circuit.available or self.circuit.is_probe_due(self._patience))

    def _may_probe(self) -> bool:
        return self.circuit.allows(patience=self._patience)

    @property
    def _patience(self) -> float:
        """Callers pay for no probe while the pulse makes them, unless it is held up."""
        return PROBE_SECONDS if self._probed and pulse.running else 0.0

    def probe(self) -> None:
        """Where the tier is broken and it is time: ask it whether it works again. The pulse's."""
        if self.circuit.available or not self.circuit.allows():
            return
        try:
            self.do(lambda tier: tier.check())
        except TierError as error:
            self.circuit.failed(error)
        else:
            self.circuit.worked()
        finally:
            self.tier.release()

    def do(self, call: Callable[[Tier], R]) -> R:
        """On a thread of ours where this one runs an event loop: Django's connections refuse
        to work there, and a sync verb blocks the loop in any case.
        """
        if self.tier.inline or not _in_event_loop():
            return call(self.tier)
        return self._executor.submit(lambda: call(self.tier)).result()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
