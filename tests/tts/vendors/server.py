"""A server in this process that hears every call, and answers or misbehaves on a real socket."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Heard:
    """One call, as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    at: float
    """Seconds of the server's clock."""

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A proper answer; `chunks` of it are sent one by one, with Transfer-Encoding chunked."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunk: int = 0

    def __call__(self, line: socket.socket, heard: Heard) -> bool:
        line.sendall(self.head() + (b"" if self.chunk else self.body))
        for start in range(0, len(self.body), self.chunk) if self.chunk else ():
            piece = self.body[start : start + self.chunk]
            line.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        if self.chunk:
            line.sendall(b"0\r\n\r\n")
        return True

    def head(self) -> bytes:
        length = {"Transfer-Encoding": "chunked"} if self.chunk else {}
        if not self.chunk:
            length["Content-Length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} Said"]
        lines += [f"{name}: {value}" for name, value in {**length, **self.headers}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


Behaviour = Callable[[socket.socket, Heard], bool]
"""What is done with the line after a call; True keeps it open for the next one."""


def as_json(status: int, body: object, **headers: str) -> Reply:
    """An error as vendors send it."""
    said = {"Content-Type": "application/json", **headers}
    return Reply(status, json.dumps(body).encode(), said)


class Server:
    """Listens on a port of this machine. `next` behaviours come first, then `behave`."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.next: deque[Behaviour] = deque()
        self.heard: list[Heard] = []
        self.connections = 0
        self.closing = threading.Event()
        """Set when it ends: behaviours that wait or drip look at it."""
        self._tls = tls
        self._lines: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://localhost:{port}"

    @property
    def open_lines(self) -> int:
        return len(self._lines)

    @property
    def waits(self) -> list[float]:
        """Seconds between one call and the next."""
        times = [heard.at for heard in self.heard]
        return [after - before for before, after in itertools.pairwise(times)]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in list(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        def run() -> None:
            sys.settrace(None)  # it is a double: coverage has nothing to learn here
            target(*args)

        thread = threading.Thread(target=run, name="vendor", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._lines.add(line)
            self._start(self._serve, line)

    def _serve(self, line: socket.socket) -> None:
        first = line
        try:
            if self._tls:
                line = self._tls.wrap_socket(line, server_side=True)
            while (heard := _read(line)) is not None:
                self.heard.append(heard)
                behave = self.next.popleft() if self.next else self.behave
                if not behave(line, heard):
                    break
        except OSError:  # the client left: that is its right
            pass
        finally:
            line.close()
            self._lines.discard(first)


def _read(line: socket.socket) -> Heard | None:
    """The next call; None when the line is closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := line.recv(65_536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65_536)
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query))
    return Heard(method, parts.path, query, headers, body, time.monotonic())
