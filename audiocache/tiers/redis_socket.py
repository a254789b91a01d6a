"""A deadline for a whole use of Redis: redis-py's time-out begins anew with every read.

A server that drips a byte at a time would hold a caller for half a minute, and one that is slow
with each answer of a handshake for a second. Bytes that came or went lengthen the deadline, so
that a large clip on a slow line is no drip.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from typing import Any, Final

BYTES_PER_SECOND: Final = 4 * 1024 * 1024
"""What is slower for long is a drip."""
LAST_LOOK: Final = 0.001
"""Seconds: an answer that came while this thread did not run is there, and is taken."""


class _Deadline(threading.local):
    """Until when what this thread asks of Redis at the moment has to be done.

    Then it ends with a TimeoutError.
    """

    ends = math.inf

    def begin(self, seconds: float) -> None:
        """So much time, from now."""
        self.ends = time.monotonic() + seconds

    def end(self) -> None:
        """It is done."""
        self.ends = math.inf

    def left(self) -> float:
        """Seconds."""
        return self.ends - time.monotonic()


deadline: Final = _Deadline()


class BoundedSocket:
    """A connected socket that waits no longer than the use of Redis lasts."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._timeout = connected.gettimeout()
        self._shortened = False
        self._unanswered = True
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll:
            self._poll.register(connected, select.POLLIN)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def settimeout(self, timeout: float | None) -> None:
        """Of one read."""
        self._timeout, self._shortened = timeout, False
        self._socket.settimeout(timeout)

    def is_quiet(self) -> bool:
        """Is nothing there to be read, nor an end? False where the system cannot tell."""
        pending = getattr(self._socket, "pending", None)  # TLS has a buffer of its own
        if self._poll is None or (pending and pending()):
            return False
        return not self._poll.poll(0)

    def sendall(self, data: bytes) -> None:
        """As a socket's. Raises TimeoutError at the deadline."""
        self._bound()
        self._socket.sendall(data)
        self._unanswered = True
        deadline.ends += len(data) / BYTES_PER_SECOND

    def recv(self, size: int, flags: int = 0) -> bytes:
        """As a socket's. Raises TimeoutError at the deadline."""
        self._bound()
        data = self._socket.recv(size, flags)
        if not flags & socket.MSG_PEEK:  # a look takes nothing
            self._came(len(data))
        return data

    def recv_into(self, *where: Any) -> int:
        """As a socket's. Raises TimeoutError at the deadline."""
        self._bound()
        number = self._socket.recv_into(*where)
        self._came(number)
        return number

    def _came(self, number: int) -> None:
        self._unanswered = False
        deadline.ends += number / BYTES_PER_SECOND

    def _bound(self) -> None:
        if not self._timeout:  # is anything there? It does not wait
            return
        left = deadline.left()
        if left <= 0 and not self._unanswered:
            raise TimeoutError("the answer is not whole at its deadline")
        if left < self._timeout or self._shortened:
            self._shortened = left < self._timeout
            self._socket.settimeout(min(max(left, LAST_LOOK), self._timeout))


def bounded(connection_class: Any) -> Any:
    """A class of redis-py's connections, for one pool, on sockets with a deadline.

    After `era` was raised, each connects anew before its next use. The pool's own `disconnect`
    may close one that another thread has just taken.
    """

    class BoundedConnection(connection_class):  # type: ignore[misc]
        era = 0
        _connected_in = 0
        _bounded: BoundedSocket | None = None
        socket_connect_timeout: float

        def connect(self) -> None:
            if self._connected_in != type(self).era:
                self.disconnect()
            super().connect()

        def _connect(self) -> BoundedSocket:
            self._connected_in = type(self).era
            given = self.socket_connect_timeout
            self.socket_connect_timeout = min(given, max(deadline.left(), LAST_LOOK))
            try:
                self._bounded = BoundedSocket(super()._connect())
            finally:
                self.socket_connect_timeout = given
            return self._bounded

        def is_open(self) -> bool:
            """Was it not closed here, and may it stay open?"""
            return self._sock is not None and not getattr(self, "_should_reconnect", False)

        def is_as_before(self) -> bool:
            """Ready for a command: nothing came that nobody asked for, not even an end."""
            connected = self._connected_in == type(self).era and self._sock is self._bounded
            return connected and self._bounded is not None and self._bounded.is_quiet()

    return BoundedConnection
