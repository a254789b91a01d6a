"""Every way in which a server can fail its client, as behaviours of `Server`."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable
from typing import Final

from tests.tts.vendors.server import Behaviour, Heard, Reply, Server

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n"
BOMB: Final = gzip.compress(bytes(1024 * 1024), 9) * 200
"""200 KB, in so many members, that unpack to 200 MiB."""


def raw(data: bytes) -> Behaviour:
    """These bytes, then the line is closed."""

    def behave(line: socket.socket, heard: Heard) -> bool:
        line.sendall(data)
        return False

    return behave


def reset(line: socket.socket, heard: Heard) -> bool:
    """The line is torn down without a word."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def cut_in_headers() -> Behaviour:
    return raw(OK + b"Content-Le")


def cut_with_length(body: bytes) -> Behaviour:
    return raw(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])


def cut_without_length(body: bytes) -> Behaviour:
    return raw(OK + b"\r\n" + body[: len(body) // 2])


def cut_in_a_chunk(body: bytes) -> Behaviour:
    start = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    return raw(start + b"%x\r\n" % len(body) + body[: len(body) // 2])


def cut_between_chunks(body: bytes) -> Behaviour:
    start = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    return raw(start + b"%x\r\n%b\r\n" % (len(body), body))


def too_short_a_length(body: bytes) -> Behaviour:
    return raw(OK + b"Content-Length: %d\r\n\r\n" % (len(body) // 2) + body)


def too_long_a_length(reply: Reply) -> Behaviour:
    """All of a reply, and then not what more its length promises."""
    head = reply.head().replace(b"Content-Length: ", b"Content-Length: 1", 1)
    return raw(head + reply.body)


def two_lengths(body: bytes) -> Behaviour:
    """They contradict each other."""
    head = OK + b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n"
    return raw(head % (len(body), len(body) // 2) + body)


def silence(server: Callable[[], Server]) -> Behaviour:
    """Hears, and never answers."""

    def behave(line: socket.socket, heard: Heard) -> bool:
        server().closing.wait(60)
        return False

    return behave


def drip(server: Callable[[], Server], head: bytes, byte: bytes, pace: float = 0.02) -> Behaviour:
    """The head at once, then one byte now and then, for ever."""

    def behave(line: socket.socket, heard: Heard) -> bool:
        line.sendall(head)
        while not server().closing.wait(pace):
            line.sendall(byte)
        return False

    return behave


def endless(server: Callable[[], Server], head: bytes, piece: bytes) -> Behaviour:
    """As fast as it goes, for ever."""

    def behave(line: socket.socket, heard: Heard) -> bool:
        line.sendall(head)
        while not server().closing.is_set():
            line.sendall(piece)
        return False

    return behave


def bomb(status: int) -> Reply:
    return Reply(status, BOMB, {"Content-Type": "audio/mpeg", "Content-Encoding": "gzip"})


def redirect(status: int, target: str) -> Reply:
    return Reply(status, b"elsewhere", {"Location": target})
