"""The head of an answer is whole, or there is no answer.

Python's client takes the end of the line for the end of the headers: what was cut off within
them would be an empty success.
"""

from __future__ import annotations

from http.client import HTTPResponse, RemoteDisconnected
from typing import IO, Any


class _Lines:
    """Reads lines and keeps the last one."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.last = b"none yet"

    def readline(self, limit: int = -1) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def close(self) -> None:
        self.file.close()


class WholeHead(HTTPResponse):
    """An answer whose headers end with their blank line."""

    fp: Any  # it is IO in the base, and None once it is closed

    def begin(self) -> None:
        """See HTTPResponse. Raises RemoteDisconnected when the headers are cut."""
        lines = _Lines(self.fp)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:  # else it was closed
                self.fp = lines.file
        if not lines.last:
            raise RemoteDisconnected("the connection was closed within the headers")
