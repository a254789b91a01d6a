"""An end of the wait for PostgreSQL: the server's own time limits are no use when it is silent.

A server that is stopped, or whose host has gone behind a balancer, still has its connections
acknowledged, so no time-out of TCP's comes. psycopg waits in steps of a tenth of a second, as
generators, between which a clock can be looked at.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from audiocache.pulse import pulse

ANSWER_SECONDS: Final = 6.0
"""A second more than the server gives a statement: it is the one to end it, if it is there."""
LOOK_UP_SECONDS: Final = 2.0
"""For one that has no limit at the server: where a table is locked, callers go on without."""
PULSE_SECONDS: Final = 3.0
"""On the pulse: with the two until it extends leases again, it is less than they last."""


class Wait:
    """For the answer to a look-up that was sent by libpq itself, on a connection of psycopg's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._poll = select.poll()
        self._poll.register(self._pgconn.socket, select.POLLIN)

    def until_answered(self) -> None:
        """Raises OperationalError after the deadline; then the connection is of no use."""
        from psycopg import OperationalError

        pgconn = self._pgconn
        pgconn.flush()
        ends = time.monotonic() + min(LOOK_UP_SECONDS, ANSWER_SECONDS)
        while pgconn.is_busy():
            if not self._poll.poll(max(0.0, ends - time.monotonic()) * 1000):
                self._connection.close()
                raise OperationalError("timeout expired")
            pgconn.consume_input()


@contextmanager
def bounded_waits(connection: Any) -> Iterator[None]:
    """Within, no wait of a psycopg connection is longer. What others do on it, a roll-up by
    Django's models or a scrub, takes its time; and other drivers wait by themselves.
    """
    plain = getattr(type(connection), "wait", None)
    if plain is None or "wait" in vars(connection):
        yield
        return

    def wait(generator: Any, *how: Any, **more: Any) -> Any:
        return plain(connection, _ending(generator, connection), *how, **more)

    connection.wait = wait
    try:
        yield
    finally:
        del connection.wait


def _ending(generator: Generator[Any, Any, Any], connection: Any) -> Generator[Any, Any, Any]:
    """The same generator up to the deadline. Then the connection is of no use: the answer may
    still come.
    """
    from psycopg import OperationalError

    ends = time.monotonic() + (PULSE_SECONDS if pulse.is_here() else ANSWER_SECONDS)
    ready = None
    while True:
        try:
            waits_for = generator.send(ready)
        except StopIteration as done:
            return done.value
        ready = yield waits_for
        if not ready and time.monotonic() > ends:
            connection.close()
            raise OperationalError("timeout expired")
