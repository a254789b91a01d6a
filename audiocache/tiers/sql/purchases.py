"""Why what was paid for is gone, noted by those who delete it: `audiocache.ledger` asks later.

Beside their way: whoever makes room or removes an entry does it also where this fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from audiocache import ledger_sql
from audiocache.circuit import Circuit
from audiocache.clock import Clock
from audiocache.exceptions import TierError
from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.batches import batches
from audiocache.tiers.sql.connection import OwnConnection


class Purchases:
    """The table of what was paid for, as a tier knows it."""

    def __init__(self, database: OwnConnection, sql: Dialect, clock: Clock) -> None:
        self._database = database
        self._sql = sql
        self._clock = clock
        self._circuit = Circuit("purchases")

    def gone(self, why: str, keys: Iterable[str]) -> None:
        """Note why these are gone, by key or source: evicted or removed."""
        if not self._circuit.allows():
            return
        try:
            for batch in batches(set(keys)):
                self._note(why, batch)
        except TierError as error:
            self._circuit.failed(error)
        else:
            self._circuit.worked()

    def _note(self, why: str, batch: Sequence[str]) -> None:
        """Waits for no row that others hold: who removes may have others waiting. What fails
        leaves the transaction in which it may be as it was.
        """
        sql = ledger_sql.gone(len(batch), self._sql.lock_free_rows).replace("?", self._sql.mark)
        within = self._database.wrapper.in_atomic_block
        with self._database.transaction() if within else nullcontext():
            self._database.run(sql, [why, self._clock(), *batch])
