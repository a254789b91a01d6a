"""What the tiers learn of removals elsewhere: memory from every log, the database from Redis'
stream, Redis from the database's ledger.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from audiocache.forks import RenewedLock
from audiocache.removals import (
    ALL,
    Cursor,
    Guard,
    Ledger,
    News,
    Reading,
    Removal,
    Removals,
    Row,
    Stream,
)
from audiocache.removals.values import heard_late, removals_in
from audiocache.rung import Rung

logger = logging.getLogger(__name__)

REMEMBERED: Final = 1000
"""Entries of the stream that a Redis which has lost them is told again."""


class Listener:
    """The memory of a process, and what that knows of the logs."""

    def __init__(self, rungs: Sequence[Rung], notes: Removals, filling: RenewedLock) -> None:
        self.memories = [rung for rung in rungs if rung.tier.inline]
        self.ledger_rung = next((r for r in rungs if isinstance(r.tier.log, Ledger)), None)
        self.stream_rung = next((r for r in rungs if isinstance(r.tier.log, Stream)), None)
        self._notes = notes
        self._filling = filling
        self.in_ledger: Cursor | None = None
        self.in_stream: Cursor | None = None
        self.heard: deque[News] = deque(maxlen=REMEMBERED)
        self.turned = False
        """An older Redis came back."""
        self._begun = False

    @property
    def ledger(self) -> Ledger:
        """The database's log; ask only where `ledger_rung` is."""
        assert self.ledger_rung is not None
        assert isinstance(self.ledger_rung.tier.log, Ledger)
        return self.ledger_rung.tier.log

    @property
    def stream(self) -> Stream:
        """Redis' log; ask only where `stream_rung` is."""
        assert self.stream_rung is not None
        assert isinstance(self.stream_rung.tier.log, Stream)
        return self.stream_rung.tier.log

    def guard(self) -> Guard:
        """How far the logs were read."""
        ledger, stream = self.in_ledger or Cursor(), self.in_stream or Cursor()
        return Guard(ledger.position, stream)

    def hear_ledger(self) -> bool:
        """Read on in the ledger; False when the database does not answer."""
        if self.ledger_rung is None:
            return False
        while (reading := self._read(self.ledger_rung, self.ledger, self.in_ledger)) is not None:
            if reading.gap:  # another log, or one that begins anew: positions come again
                self.ledger.own.clear()
            news = [one for one in reading.news if str(one.cursor.position) not in self.ledger.own]
            self._take_in(reading, self.in_ledger, news)
            self.in_ledger = reading.cursor
            if reading.gap and self.stream_rung:
                self.stream.ledger = ""  # it may be another database
            if not reading.news:
                return True
        return False

    def hear_stream(self) -> bool:
        """Read on in the stream; False when Redis does not answer, or is to be told itself."""
        if self.stream_rung is None:
            return False
        while (reading := self._read(self.stream_rung, self.stream, self.in_stream)) is not None:
            self.turned = reading.turned
            if self.turned:
                return True
            self._take_in(reading, self.in_stream, self.unknown(reading.news))
            self.heard.extend(reading.news)
            self.in_stream = reading.cursor
            if not reading.news:
                return True
        return False

    def unknown(self, news: Iterable[News]) -> list[News]:
        """What neither we said ourselves nor the ledger has told us."""
        return [
            one
            for one in news
            if one.cursor.mark not in self.stream.own and not self._told_by_ledger(one)
        ]

    def _told_by_ledger(self, news: News) -> bool:
        if not (news.origin and self.ledger_rung and self.in_ledger):
            return False
        ours = news.origin.ledger == self.stream.ledger
        return ours and news.origin.last <= self.in_ledger.position

    def _read(self, rung: Rung, log: Ledger | Stream, cursor: Cursor | None) -> Reading | None:
        return rung.attempt("", lambda _: log.read(cursor))

    def _take_in(self, reading: Reading, before: Cursor | None, news: Sequence[News]) -> None:
        """What is read for the first time is only where the log ends: memory, empty then, has
        nothing to hear of. When it could not be read then, nobody knows what was removed since.
        """
        if reading.gap or (before is None and self._begun):
            self.forget()
        elif news:
            self.heed([row for one in news for row in one.rows])

    def heed(self, rows: Sequence[Row]) -> None:
        """Drop from memory what was removed elsewhere, also what is on its way there."""
        with self._filling:
            for row in rows:
                self._notes.note(list(removals_in(row)), row.at)
            late = heard_late(rows)
            for rung in self.memories:
                rung.attempt("", lambda tier: tier.apply(late))

    def forget(self) -> None:
        """Empty memory: nobody can say any more what was removed."""
        logger.warning("memory is emptied: the removal log no longer reaches back")
        with self._filling:
            self._notes.note([Removal(ALL)])
            for rung in self.memories:
                rung.attempt("", lambda tier: tier.clear())

    def begin(self) -> None:
        """From now on, what is in memory may have been removed elsewhere."""
        self._begun = True
