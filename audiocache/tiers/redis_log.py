"""The removal log in Redis: a stream, and beside it how far it has what each database says."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from audiocache.forks import RenewedLock
from audiocache.removals import ALL, Cursor, News, Origin, Reading, Removal, Row, Stream
from audiocache.removals.log import Own
from audiocache.removals.values import heard_late, rows_of
from audiocache.tiers.redis_connection import RedisConnection
from audiocache.tiers.redis_log_scripts import BEHIND, Forgetting, decoded, new_mark
from audiocache.tiers.redis_names import Names
from audiocache.tiers.redis_removing import RedisRemoving

READ: Final = 500
"""Entries read at once."""


class RedisStream(Stream):
    """`end` and `reached_ledger` are what came along with Redis' last answer."""

    def __init__(self, redis: RedisConnection, names: Names, removing: RedisRemoving) -> None:
        self._redis = redis
        self._names = names
        self._removing = removing
        self.own = Own()
        self.ledger = ""
        self.end = Cursor()
        self.reached_ledger = 0
        self._numbers = itertools.count(1)
        self._latest = 0
        self._seeing = RenewedLock()
        self._mine = threading.local()

    @property
    def along(self) -> tuple[str, str]:
        """What every look-up reads along."""
        return self._names.end, self._names.reached(self.ledger)

    @property
    def answered_ledger(self) -> int:
        """`reached_ledger` as this thread's own last answer had it."""
        return int(getattr(self._mine, "reached", 0))

    def number(self) -> int:
        """Of a question that is about to be asked: answers may come in another order."""
        return next(self._numbers)

    def saw(self, number: int, end: object, reached: object) -> Cursor:
        """What the answer to a question read along: where the stream ends.

        The answer to an older question than the latest may only tell of more.
        """
        cursor, position = _cursor(end), _position(reached)
        self._mine.reached = position
        with self._seeing:
            is_latest = number > self._latest
            self._latest = max(self._latest, number)
            if is_latest or _is_further(cursor, self.end):
                self.end = cursor
            if is_latest or position > self.reached_ledger:
                self.reached_ledger = position
        return cursor

    # Reading

    def read(self, cursor: Cursor | None) -> Reading:
        """What came behind the cursor; its own entry is read again, to see that it is the same."""
        number = self.number()
        with self._redis.use() as redis:
            end = self.saw(number, *redis.mget(self.along))
        if cursor is None or end == cursor or not end.history:
            return Reading(end if cursor is None or end.history else cursor)
        if end.history != cursor.history:
            cursor = Cursor(end.history)
        return self._behind(cursor, end)

    def _behind(self, cursor: Cursor, end: Cursor) -> Reading:
        with self._redis.use() as redis:
            read = redis.xrange(self._names.log, min=f"{cursor.position}-0", count=READ)
        news = tuple(_news(cursor.history, *one) for one in read)
        first = news[0].cursor if news else end
        turned = first.position == cursor.position and first.mark != cursor.mark
        if turned or end.position < cursor.position:
            return Reading(end, turned=True)
        gap = first.position > max(cursor.position, 1) or not news
        later = news[1:] if first == cursor else news
        return Reading(later[-1].cursor if later else end, later, gap=gap)

    def reached(self, ledger: str) -> int:
        """Up to where Redis has what a ledger says."""
        with self._redis.use() as redis:
            [answer] = redis.mget([self._names.reached(ledger)])
        return _position(answer)

    # Removing

    def remove(
        self,
        removals: Sequence[Removal],
        at: int,
        origin: Origin | None = None,
        late: bool = False,
    ) -> tuple[int, Origin | None]:
        """The origin comes back where Redis misses what stands before it in the ledger."""
        wanted = [one.heard_late(at) for one in removals] if late else removals
        removed, answer = self._announce(wanted, list(rows_of(removals, at)), origin)
        return removed, origin if answer == BEHIND else None

    def publish(self, rows: Sequence[Row], origin: Origin | None) -> bool:
        """Apply and announce what a ledger says, or what an older state of Redis has lost."""
        return self._announce(heard_late(rows), rows, origin)[1] != BEHIND

    def _announce(
        self, removals: Sequence[Removal], rows: Sequence[Row], origin: Origin | None
    ) -> tuple[int, int]:
        mark = new_mark()
        self.own.add(mark)
        done = self._removing.apply(removals, Forgetting(rows=rows, origin=origin, mark=mark))
        if origin and done[1] != BEHIND and origin.ledger == self.ledger:
            self.reached_ledger = max(self.reached_ledger, origin.last)
        return done

    def pass_over(self, origin: Origin) -> None:
        """The others see that the ledger's positions go on further on, and do likewise."""
        self._removing.apply([Removal(ALL)], Forgetting(origin=origin))

    def renew(self) -> None:
        """Make void what Redis holds; the others keep what they have, so nothing is announced."""
        self._removing.apply([Removal(ALL)], Forgetting())


def _cursor(value: object) -> Cursor:
    text = value.decode(errors="replace") if isinstance(value, bytes) else ""
    return Cursor.parse(text) or Cursor()


def _is_further(one: Cursor, other: Cursor) -> bool:
    return one.history == other.history and one.position > other.position


def _position(value: object) -> int:
    return int(value) if isinstance(value, bytes) and value.isdigit() else 0


def _news(history: str, name: bytes, fields: Mapping[bytes, bytes]) -> News:
    position = int(name.partition(b"-")[0])
    mark = fields.get(b"m", b"").decode(errors="replace")
    return News(Cursor(history, position, mark), decoded(fields.get(b"r", b"")), _origin(fields))


def _origin(fields: Mapping[bytes, Any]) -> Origin | None:
    ledger = fields.get(b"o", b"").decode(errors="replace")
    first, last = _position(fields.get(b"f")), _position(fields.get(b"t"))
    return Origin(ledger, first, last) if ledger and last else None
