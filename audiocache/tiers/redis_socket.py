"""A deadline for a whole answer of Redis: redis-py's time-out begins anew with every read.

A server that drips a byte at a time would hold a caller for half a minute. Bytes that came or
went lengthen the deadline, so that a large clip on a slow line is no drip.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

ANSWER_READS: Final = 1.2
"""How many times the time-out of one read a whole answer may take."""
BYTES_PER_SECOND: Final = 4 * 1024 * 1024
"""What is slower for long is a drip."""


class BoundedSocket:
    """A connected socket whose reads end at the deadline of the command that was sent last."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timeout = connected.gettimeout()
        self._shortened = False
        self._deadline = 0.0
        self._credit = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: bytes) -> None:
        """The answer's clock begins to run with the first read."""
        self._deadline = 0.0
        self._credit += len(data)
        self._socket.sendall(data)

    def settimeout(self, timeout: float | None) -> None:
        """Of one read."""
        self._timeout, self._shortened = timeout, False
        self._socket.settimeout(timeout)

    def recv(self, size: int) -> bytes:
        """As a socket's. Raises TimeoutError at the deadline."""
        self._bound()
        data = self._socket.recv(size)
        self._deadline += len(data) / BYTES_PER_SECOND
        return data

    def recv_into(self, *where: Any) -> int:
        """As a socket's. Raises TimeoutError at the deadline."""
        self._bound()
        number = self._socket.recv_into(*where)
        self._deadline += number / BYTES_PER_SECOND
        return number

    def _bound(self) -> None:
        if not self._timeout:  # is anything there? It does not wait
            return
        now = time.monotonic()
        if not self._deadline:
            self._deadline = now + ANSWER_READS * self._timeout
            self._deadline += self._credit / BYTES_PER_SECOND
            self._credit = 0
        left = self._deadline - now
        if left <= 0:
            raise TimeoutError("the answer is not whole at its deadline")
        if left < self._timeout or self._shortened:
            self._shortened = left < self._timeout
            self._socket.settimeout(min(left, self._timeout))


def bounded(connection_class: Any) -> Any:
    """A class of redis-py's connections, on sockets with a deadline."""

    class BoundedConnection(connection_class):  # type: ignore[misc]
        def _connect(self) -> BoundedSocket:
            return BoundedSocket(super()._connect())

    return BoundedConnection
