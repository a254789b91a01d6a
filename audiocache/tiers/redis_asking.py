"""Several commands in one round trip, straight on a connection of redis-py's pool.

Its pipeline makes some three hundred calls of Python for three commands: observability, retries
that are switched off here, objects. That is more than a small look-up takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Command = Sequence[Any]


def ask(redis: Any, commands: Sequence[Command]) -> list[Any]:
    """The answers as the server gives them, its errors among them. Raises Redis' other errors.

    A connection that fails, or that is left with answers to come, closes itself.
    """
    pool = redis.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands(commands))
        return [_answer(connection) for _ in commands]
    finally:
        pool.release(connection)


def _answer(connection: Any) -> Any:
    from redis.exceptions import ResponseError

    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def refuse(answers: Sequence[Any], *, but: str = "no kind") -> None:
    """Raise the first error among answers, save those of one kind."""
    for answer in answers:
        if isinstance(answer, Exception) and not str(answer).startswith(but):
            raise answer
