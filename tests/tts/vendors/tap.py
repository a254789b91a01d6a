"""A vendor who sends a sound in pieces: by a clock, or each when a test lets it."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from typing import Final

from tests.tts.vendors.server import Heard

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
LONGEST: Final = 10.0
"""Seconds that a piece waits to be let."""


class Tap:
    """A behaviour. Without a pace in seconds, `let` opens it."""

    def __init__(self, body: bytes, pieces: int = 10, pace: float | None = None) -> None:
        size = -(-len(body) // pieces)
        self.pieces = [body[start : start + size] for start in range(0, len(body), size)]
        self.sent: list[float] = []
        """When each piece was sent, by time.monotonic()."""
        self.cut_after: int | None = None
        """Close the line after so many pieces."""
        self.left = False
        """The client hung up on us."""
        self._pace = pace
        self._let = threading.Semaphore(0)

    def let(self, pieces: int | None = None) -> None:
        """Let so many more pieces flow; None: all of them."""
        self._let.release(len(self.pieces) if pieces is None else pieces)

    def __call__(self, line: socket.socket, heard: Heard) -> bool:
        line.sendall(HEAD)
        for number, piece in zip(itertools.count(), self.pieces, strict=False):
            if number == self.cut_after:
                return False
            self._wait(number)
            self.sent.append(time.monotonic())
            try:
                line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            except OSError:
                self.left = True
                raise
        line.sendall(b"0\r\n\r\n")
        return True

    def _wait(self, number: int) -> None:
        if self._pace is None:
            assert self._let.acquire(timeout=LONGEST)
        elif number:
            time.sleep(self._pace)
