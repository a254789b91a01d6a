"""Every paid call in the cache's own database, written before it is made and when it has ended.

begin (what is spent, the call, its account: one transaction) -> the call -> settle (the same,
by the difference). A killed process leaves a call that has begun: it counts as spent. While the
database is in trouble calls go on, and their process owes the ledger what came of them.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from typing import Final, NamedTuple, Self

from audiocache import database, signals
from audiocache.charges import UNLIMITED, Bought, Limits, PaidCall, Spending, periods
from audiocache.circuit import Circuit
from audiocache.clock import DAY_MS, Clock, now_ms
from audiocache.conf import PERSISTENT, CacheConfig
from audiocache.exceptions import TierBusy, TierError, Unwritable
from audiocache.forks import renew_in_child
from audiocache.ledger_book import Book
from audiocache.pulse import pulse

logger = logging.getLogger(__name__)

KEPT_DAYS: Final = 400
OWED: Final = 10_000
"""Calls that a process remembers for a database in trouble; the oldest are given up first."""
OWED_SECONDS: Final = 5.0
TRIM_SECONDS: Final = 10.0
TRIM_ROWS: Final = 500
LIMIT_SECONDS: Final = 5.0
"""Where a limit is to be kept, a call waits so long for other writers."""
LOOK_SECONDS: Final = 0.02


class Settled(NamedTuple):
    """A call as it began and as it ended."""

    begun: PaidCall
    ended: PaidCall
    bought: Bought | None


class Ledger:
    """The ledger on an alias. Safe under threads; no method raises a TierError."""

    def __init__(self, alias: str, clock: Clock = now_ms, kept_days: int = KEPT_DAYS) -> None:
        self.clock = clock
        self._book = Book(alias)
        self._kept_ms = kept_days * DAY_MS
        self._circuit = Circuit("ledger")
        self._trim_at = 0.0
        self.after_fork()
        renew_in_child(self)

    @classmethod
    def of(
        cls, config: CacheConfig, clock: Clock = now_ms, kept_days: int = KEPT_DAYS
    ) -> Self | None:
        """Where the cache of this configuration has its tables; None: it uses no database."""
        if PERSISTENT not in config.tier_names:
            return None
        return cls(database.alias_of(config), clock, kept_days)

    def after_fork(self) -> None:
        """What the parent owes, it writes itself."""
        self._owed: deque[Settled] = deque(maxlen=OWED)
        self._lock = threading.Lock()
        self._scheduled = False

    # The life of a call

    def begin(self, call: PaidCall, limits: Limits = UNLIMITED) -> Spending | None:
        """Write that a call begins; what is spent with it, or None when there is no telling.

        Raises OverLimit: then nothing is written, and the call must not be made.
        """
        until = time.monotonic() + (0.0 if limits == UNLIMITED else LIMIT_SECONDS)
        while self._circuit.allows():
            try:
                spending = self._book.begin(call, limits)
            except TierError as error:
                if not isinstance(error, TierBusy) or time.monotonic() >= until:
                    self._circuit.failed(error, "begin")
                    return None
                time.sleep(LOOK_SECONDS)
            else:
                self._circuit.worked("begin")
                return spending
        return None

    def settle(self, begun: PaidCall, ended: PaidCall, bought: Bought | None = None) -> None:
        """Write how a call ended, and what was bought with it; owed where that fails."""
        settled = Settled(begun, ended, bought)
        if not (self._circuit.allows() and self._write(settled)):
            self._owe(settled)
        elif time.monotonic() >= self._trim_at:
            self._trim()

    def spending(self, at: int | None = None) -> Spending | None:
        """What the day and the month of an instant have cost; None: there is no telling."""
        try:
            return Spending(*map(self._book.spent, periods(self.clock() if at is None else at)))
        except TierError:
            return None

    def once(self, name: str, value: str) -> bool:
        """True for the one of all processes that says a value under a name first."""
        try:
            return self._book.once(name, value)
        except TierError:
            return False

    # What is owed

    @property
    def owed(self) -> int:
        """Calls that could not be written yet."""
        return len(self._owed)

    def pay(self, until: float = math.inf) -> bool:
        """Write what is owed, the oldest first, as far as the database takes it.

        False when at that time (of the monotonic clock) there was more.
        """
        while self._owed and not self._book.outlived_its_tests:
            settled = self._owed.popleft()
            if not self._write(settled):
                self._owed.appendleft(settled)
                return True
            if self._owed and time.monotonic() >= until:
                return False
        with self._lock:
            self._scheduled = bool(self._owed)
            if not self._scheduled:
                pulse.forget(self._beat)
        return True

    def _write(self, settled: Settled) -> bool:
        """False: it is still to be written."""
        try:
            written = self._book.settle(*settled)
        except Unwritable as error:
            self._circuit.failed(error, "settle")
            # Without its traceback, which says no more.
            logger.error("a charge is lost, for it cannot be written: %s", error)  # noqa: TRY400
            return True
        except TierError as error:
            self._circuit.failed(error, "settle")
            return False
        self._circuit.worked("settle")
        if written is not None:
            signals.call_settled.send_robust(type(self), call=written)
        return True

    def _owe(self, settled: Settled) -> None:
        with self._lock:
            if len(self._owed) == OWED:
                logger.error("a charge is lost: more than %d are owed", OWED)
            self._owed.append(settled)
            if not self._scheduled:
                self._scheduled = True
                pulse.every(OWED_SECONDS, self._beat)
        pulse.ensure()

    def _beat(self) -> float | None:
        if self._circuit.allows():
            if not self.pay(pulse.allowance()):
                return 0.0  # the others' turn first
            self._book.pause()
        return None

    def _trim(self) -> None:
        """Forget what is older than it is kept, a little at a time: it works without a task."""
        self._trim_at = time.monotonic() + TRIM_SECONDS
        try:
            self._book.forget(self.clock() - self._kept_ms, TRIM_ROWS)
        except TierError as error:
            self._circuit.failed(error, "trim")
