"""Several commands in one round trip, straight on a connection of redis-py's pool.

Its pipeline makes some three hundred calls of Python for three commands: observability, retries
that are switched off here, objects. That is more than a small look-up takes. So does its packing,
which looks at each word for what none of ours is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

Command = Sequence[Any]
APART: Final = 64 * 1024
"""Bytes from which a value is sent by itself: to copy it takes longer."""


def ask(redis: Any, commands: Sequence[Command]) -> list[Any]:
    """The answers as the server gives them, its errors among them. Raises Redis' other errors.

    A connection that fails, or that is left with answers to come, closes itself.
    """
    pool = redis.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_packed_command(packed(commands, connection.encoder.encoding))
        return [_answer(connection) for _ in commands]
    finally:
        pool.release(connection)


def packed(commands: Iterable[Command], encoding: str = "utf-8") -> list[bytes]:
    """What is sent for commands, whose words are bytes, text or integers."""
    parts: list[bytes] = []
    ready: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            data = word if type(word) is bytes else str(word).encode(encoding)
            if len(data) < APART:
                parts += (b"$%d\r\n" % len(data), data, b"\r\n")
            else:
                ready += (b"".join((*parts, b"$%d\r\n" % len(data))), data)
                parts = [b"\r\n"]
    return [*ready, b"".join(parts)]


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except _refused() as error:
        return error


@cache
def _refused() -> type[Exception]:
    from redis.exceptions import ResponseError

    return ResponseError


def refuse(answers: Sequence[Any], *, but: str = "no kind") -> None:
    """Raise the first error among answers, save those of one kind."""
    for answer in answers:
        if isinstance(answer, Exception) and not str(answer).startswith(but):
            raise answer
