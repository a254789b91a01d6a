"""How a statement and its values reach each driver.

psycopg would write the values into the statement, as Django has it do: then a statement that fails
stands in the server's log with the text and the sound of a clip (law 11), and a sound is sent as
twice as many digits. So values travel apart, in the driver's own binary form. The server prepares
nothing for longer than a statement where the session is another's next, behind a pooler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache.tiers.sql import session

TIME_LIMITS: Final = (
    "SELECT set_config('lock_timeout', '1000', true), set_config('statement_timeout', '5000', true)"
)
"""For PostgreSQL, in ms, so that no locked row or slow disk holds a caller (law 3).

Sent together with the statement they are for: that makes the two one transaction, so it costs
no round trip and, behind pgbouncer, nothing stays in a session that others get.
"""


def send(connection: BaseDatabaseWrapper, sql: str, values: Sequence[Any]) -> list[Any]:
    """The rows that a statement returns."""
    raw = connection.connection
    if connection.vendor != "postgresql":
        cursor = raw.execute(sql, values)
    elif hasattr(raw, "pipeline"):
        with _limited(connection) as cursor:
            cursor.execute(sql, values, binary=True, prepare=session.is_kept(connection))
    else:  # psycopg2 has no other way than to write the values in
        cursor = raw.cursor()
        cursor.execute(f"{TIME_LIMITS}; {sql}", values)
    return cursor.fetchall() if cursor.description else []


def send_many(connection: BaseDatabaseWrapper, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """A statement for each row, in a transaction."""
    raw = connection.connection
    if connection.vendor != "postgresql":
        raw.executemany(sql, rows)
    elif hasattr(raw, "pipeline"):
        with _limited(connection) as cursor:
            cursor.executemany(sql, rows)
    else:
        cursor = raw.cursor()
        cursor.execute(TIME_LIMITS)
        cursor.executemany(sql, rows)


@contextmanager
def _limited(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A cursor of psycopg; where no transaction has them yet, the limits go before it."""
    from psycopg import Cursor
    from psycopg.pq import TransactionStatus

    raw = connection.connection
    if raw.info.transaction_status != TransactionStatus.IDLE:
        yield Cursor(raw)
        return
    kept = session.is_kept(connection)
    with raw.pipeline():
        Cursor(raw).execute(TIME_LIMITS, prepare=kept)
        yield Cursor(raw)
