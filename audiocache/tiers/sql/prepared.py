"""Look-ups in PostgreSQL by libpq itself, prepared and in binary: an eighth of psycopg's way.

The server plans a statement once for each session, so the session must be kept (`session.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, Final, NamedTuple

from audiocache.tiers.sql.waiting import Wait

Decode = Callable[[bytes], Any]

_number: Final[Decode] = partial(int.from_bytes, byteorder="big", signed=True)
DECODERS: Final[dict[int, Decode]] = {
    17: bytes,
    20: _number,
    21: _number,
    23: _number,
    25: bytes.decode,
    1043: bytes.decode,
}
"""By PostgreSQL's number of a type: bytea, three sizes of integers, text and varchar."""
BINARY: Final = 1
_numbers: Final = count(1)
"""Several may read on one connection: no name comes twice."""


class _Prepared(NamedTuple):
    name: bytes
    decoders: list[Decode]


class PreparedReads:
    """The SELECTs of one connection, each prepared when it comes first. For one thread."""

    def __init__(self, raw: Any) -> None:
        self._pgconn = raw.pgconn
        self._wait = Wait(raw)
        self._known: dict[str, _Prepared | None] = {}
        """By statement; None: it has a column that is not read this way."""

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any] | None:
        """None where it cannot be had this way. Raises psycopg's errors."""
        from psycopg.pq import TransactionStatus

        if self._pgconn.transaction_status != TransactionStatus.IDLE:
            return None
        if sql not in self._known:
            self._known[sql] = self._prepare(sql, len(values))
        known = self._known[sql]
        if known is None:
            return None
        given = [str(value).encode() for value in values]
        self._pgconn.send_query_prepared(known.name, given, result_format=BINARY)
        return _rows_of(self._answer(), known.decoders)

    def _prepare(self, sql: str, values: int) -> _Prepared | None:
        name = b"audiocache_%d" % next(_numbers)
        marks = (f"${number}" for number in range(1, values + 1))
        self._pgconn.send_prepare(name, (sql % tuple(marks)).encode())
        self._answer()
        self._pgconn.send_describe_prepared(name)
        described = self._answer()
        types = [described.ftype(column) for column in range(described.nfields)]
        if not DECODERS.keys() >= set(types):
            return None
        return _Prepared(name, [DECODERS[number] for number in types])

    def _answer(self) -> Any:
        """The result of what was sent. Raises psycopg's OperationalError, also when it is late."""
        from psycopg import OperationalError
        from psycopg.pq import ExecStatus

        self._wait.until_answered()
        answer, more = self._pgconn.get_result(), self._pgconn.get_result()
        if answer.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK) or more is not None:
            raise OperationalError("prepared statement refused")
        return answer


def _rows_of(answer: Any, decoders: Sequence[Decode]) -> list[Any]:
    columns = range(len(decoders))
    value_at = answer.get_value
    found = []
    for row in range(answer.ntuples):
        values = [value_at(row, column) for column in columns]
        found.append(
            [
                None if value is None else decode(value)
                for decode, value in zip(decoders, values, strict=True)
            ]
        )
    return found
