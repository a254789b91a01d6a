"""The head of an answer is whole, and that of the last one, or there is no answer.

Python's client takes the end of the line for the end of the headers: what was cut off within
them would be an empty success. Of the answers that announce another one (RFC 9110, 15.2) it knows
100 alone, and would take 103 for a failure that was paid for.
"""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPResponse, RemoteDisconnected
from typing import IO, Any, Final

MAX_INTERIM: Final = 1000
"""Answers before the last one. A server that sends one now and then while it works is bounded by
the call's deadline; this is for one that sends nothing else."""
MAX_LINES: Final = 100
MAX_LINE: Final = 65_536
"""Bytes. Both as in Python's client."""


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

    def _read_status(self) -> tuple[str, int, str]:
        """The status line behind all interim answers, whose headers say nothing to us."""
        for _ in range(MAX_INTERIM + 1):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in its stub
            if not _is_interim(found[1]):
                return found
            self._pass_over_headers()
        raise RemoteDisconnected("nothing but interim answers came")

    def _pass_over_headers(self) -> None:
        for _ in range(MAX_LINES):
            if self.fp.readline(MAX_LINE) in {b"\r\n", b"\n", b""}:
                return
        raise RemoteDisconnected("an interim answer does not end")


def _is_interim(status: int) -> bool:
    """Another protocol, which nobody asked for, is no promise of an answer."""
    return 100 <= status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS
