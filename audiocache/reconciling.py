"""Redis and the database after an absence: each applies what only the other's log says.

Redis keeps up to where it has what each database says; a database keeps how far it has read the
stream, and how far each other database that the stream told of. So each applies all, and once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

from audiocache.hearing import Listener
from audiocache.removals import Cursor, News, Origin, Reading, Row

logger = logging.getLogger(__name__)

TRIES: Final = 50
"""Steps of some hundred entries; other processes may take some of them."""


class Reconciler:
    """Brings the tiers of one process's ladder together."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._followed: Cursor | None = None
        """Up to where the database has what the stream says, as far as we know."""

    # Redis has missed what the database says

    @property
    def behind(self) -> bool:
        """Does Redis not know yet what the database says?"""
        listener = self._listener
        if listener.ledger_rung is None or listener.stream_rung is None:
            return False
        return listener.stream.reached_ledger < listener.ledger.position

    def publish(self) -> None:
        """Tell Redis what it has missed of the ledger, in its order."""
        listener = self._listener
        if listener.ledger_rung is None or listener.stream_rung is None:
            return
        if not (name := self._name()):
            return
        for _ in range(TRIES if self.behind else 0):
            if not self._publish_some(name):
                return

    def _name(self) -> str:
        """The ledger's; the stream is asked for how much of it Redis has."""
        ledger, stream = self._listener.ledger, self._listener.stream
        if stream.ledger:
            return stream.ledger
        make = self.behind
        assert self._listener.ledger_rung is not None
        name = self._listener.ledger_rung.attempt("", lambda _: ledger.identity(make=make)) or ""
        if name:
            stream.ledger, stream.reached_ledger = name, self._reached(name) or 0
        return name

    def _reached(self, name: str) -> int | None:
        assert self._listener.stream_rung is not None
        return self._listener.stream_rung.attempt("", lambda _: self._listener.stream.reached(name))

    def _publish_some(self, name: str) -> bool:
        """Some hundred rows; False when there are no more, or somebody does not answer."""
        listener, reached = self._listener, self._reached(name)
        if reached is None or listener.ledger_rung is None or listener.stream_rung is None:
            return False
        start = Cursor("", reached)
        reading = listener.ledger_rung.attempt("", lambda _: listener.ledger.read(start))
        if reading is None or not (reading.news or reading.gap):
            listener.stream.reached_ledger = reached
            return False
        origin = Origin(name, reached + 1, reading.cursor.position)
        if reading.gap:
            logger.warning("Redis is emptied: the database's removal log no longer reaches back")
            listener.stream_rung.attempt("", lambda _: listener.stream.pass_over(origin))
            return False
        rows = [row for news in reading.news for row in news.rows]
        told = listener.stream_rung.attempt("", lambda _: listener.stream.publish(rows, origin))
        return told is not None

    # An older Redis came back

    def repair(self) -> None:
        """Tell Redis again what it has lost of its stream; void it where nobody here knows that."""
        listener = self._listener
        stream_rung = listener.stream_rung
        if stream_rung is None:
            return
        end = listener.stream.end
        there = list(self._all_of(end.history))
        marks = {news.cursor.mark for news in there}
        known = [news for news in listener.heard if news.cursor.history == end.history]
        if not known or known[0].cursor.position > end.position + 1:
            self._void()
        for news in known:
            if news.cursor.mark not in marks:
                self._say_again(news)
        new = marks - {news.cursor.mark for news in known}
        unheard = [news for news in there if news.cursor.mark in new]
        if unheard:
            listener.heed([row for news in unheard for row in news.rows])
        listener.in_stream = end
        self._followed = None

    def _say_again(self, news: News) -> None:
        assert self._listener.stream_rung is not None
        stream = self._listener.stream
        self._listener.stream_rung.attempt("", lambda _: stream.publish(news.rows, news.origin))

    def _all_of(self, history: str) -> Iterator[News]:
        reading = self._read(Cursor(history))
        while reading and reading.news:
            yield from reading.news
            reading = self._read(reading.cursor)

    def _read(self, cursor: Cursor) -> Reading | None:
        assert self._listener.stream_rung is not None
        stream = self._listener.stream
        return self._listener.stream_rung.attempt("", lambda _: stream.read(cursor))

    def _void(self) -> None:
        """Only where other databases than ours said what was lost: ours says it again."""
        listener = self._listener
        others: set[str] = {listener.stream.ledger}
        if listener.ledger_rung is not None:
            known = listener.ledger_rung.attempt("", lambda _: listener.ledger.followed())
            others = set(known[1]) if known else others
        if others - {listener.stream.ledger} or listener.ledger_rung is None:
            logger.warning("Redis is emptied: it came back older than its removal log was")
            assert listener.stream_rung is not None
            listener.stream_rung.attempt("", lambda _: listener.stream.renew())

    # The database has missed what the stream says

    def lags_behind(self, end: Cursor | None) -> bool:
        """Does the database not have yet what the stream says up to there?"""
        listener = self._listener
        if listener.ledger_rung is None or end is None or not end.history:
            return False
        # Of a stream that Redis has lost nothing more can be heard.
        return bool(listener.stream.end.history) and not self.has_followed(end)

    def has_followed(self, end: Cursor) -> bool:
        """Does the database have what the stream says up to there, as far as we know?"""
        held = self._followed
        return held is not None and held.history == end.history and held.position >= end.position

    def follow(self) -> None:
        """Have the database apply what the stream says; one process does it, each looks."""
        for _ in range(TRIES if self.lags_behind(self._listener.in_stream) else 0):
            if not self._follow_some():
                return

    def _follow_some(self) -> bool:
        """Some hundred entries; False when there are no more, or somebody does not answer."""
        listener, end = self._listener, self._listener.in_stream
        if listener.ledger_rung is None or listener.stream_rung is None or end is None:
            return False
        known = listener.ledger_rung.attempt("", lambda _: listener.ledger.followed())
        if known is None:
            return False
        before, heard = known
        reading = None if before == end else self._from(before)
        if before == end or (reading and reading.cursor == before):
            self._followed = end
        if reading is None or reading.cursor == before:
            return False
        plan, heard = self._plan(before, reading, heard)
        done = listener.ledger_rung.attempt(
            "", lambda _: listener.ledger.follow(before, plan, heard)
        )
        return done is not None

    def _from(self, before: Cursor | None) -> Reading | None:
        """What the stream says behind a cursor; all of it where it is another than it was."""
        reading = self._read(before or Cursor(self._listener.stream.end.history))
        if reading is not None and reading.turned:
            if not self._listener.heard:
                self._void()
            reading = self._read(Cursor(reading.cursor.history))
            return reading and reading._replace(gap=False)
        return reading

    def _plan(
        self, before: Cursor | None, reading: Reading, heard: dict[str, int]
    ) -> tuple[Reading, dict[str, int]]:
        """What of it is new to this database, and how far each ledger is known then."""
        after, news, gap = dict(heard), [], reading.gap and before is not None
        for one in reading.news:
            origin = one.origin
            known = after.get(origin.ledger) if origin else None
            news.append(one._replace(rows=self._unheard(one, known)))
            if origin and origin.ledger != self._listener.ledger.name:
                gap = gap or (known is not None and origin.first > known + 1)
                after[origin.ledger] = max(origin.last, known or 0)
        if gap:
            logger.warning("the database is emptied: the removal log no longer reaches back")
        return reading._replace(news=tuple(news), gap=gap), after

    def _unheard(self, news: News, known: int | None) -> tuple[Row, ...]:
        """The rows that this database has not applied, of a ledger known so far."""
        origin = news.origin
        if origin is None:
            return news.rows
        if origin.ledger == self._listener.ledger.name:
            return () if origin.last <= self._listener.ledger.position else news.rows
        if known is None:
            return news.rows
        if origin.last - origin.first + 1 != len(news.rows):
            return () if origin.last <= known else news.rows
        return news.rows[max(0, known + 1 - origin.first) :]
