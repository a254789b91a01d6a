"""W1 and W2: speech through gunicorn, against a view that gives the same bytes always."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cases import Case, Figure, Fixed, Loop
from benchmarks.clips import K
from benchmarks.stage import Stage
from benchmarks.vendor import PAUSE_SECONDS, Vendor, clip_of
from project.servers import free_port

TEXT: Final = "Hello there."
SIZE: Final = 48 * K
MASTER: Final = "wav"
"""What the provider sends."""
LINES: Final = 8
"""Connections that ask at once, each kept open."""
STREAMS: Final = 20
GOAL: Final = 1 / 0.6
"""At least 60 % of its requests a second."""
SECONDS: Final = 30.0
COMMAND: Final = (
    "gunicorn", "--no-control-socket", "--workers", "1", "--threads", str(LINES),
    "benchmarks.site:application", "--bind",
)  # fmt: skip


class Site:
    """A running site."""

    def __init__(self, port: int, told: dict[str, str]) -> None:
        self._port = port
        self._key = told["key"]
        self.constant = self._asking("GET", "/constant")
        self.address = self._asking("GET", told["address"])

    def line(self) -> socket.socket:
        """A new connection."""
        line = socket.create_connection(("127.0.0.1", self._port), timeout=SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def speech(self, text: str, audio_format: str = MASTER) -> bytes:
        """A request of OpenAI's API."""
        body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": audio_format}
        return self._asking("POST", "/v1/audio/speech", json.dumps(body).encode())

    def _asking(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """On one worker of gunicorn's, with threads."""
    with Vendor(SIZE) as vendor, ExitStack() as stack:
        site = stack.enter_context(_running(stage.new_folder("site"), vendor))
        lines = [stack.enter_context(closing(site.line())) for _ in range(LINES)]
        _answers(lines[:1], site.address)
        yield [
            _hit("its address", lines, site.constant, site.address),
            _hit("POST", lines, site.constant, site.speech(TEXT)),
            _first_byte(site, vendor, MASTER),
            _first_byte(site, vendor, "mp3"),
        ]


@contextmanager
def _running(folder: Path, vendor: Vendor) -> Iterator[Site]:
    sound, told, port = folder / "sound", folder / "told.json", free_port()
    sound.write_bytes(clip_of(SIZE))
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    speech = {
        "PROVIDER": "openai", "API_KEY": "key", "BASE_URL": vendor.url, "MODEL": "tts-1",
        "VOICE": "alloy", "FORMAT": MASTER, "MASTER": MASTER,
    }  # fmt: skip
    settings = {"DATABASES": {"default": default}, "TTS": speech}
    given = json.dumps({"settings": settings, "sound": str(sound), "text": TEXT})
    program = Path(sys.executable).parent / COMMAND[0]
    environment = {**os.environ, "SITE": given, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *COMMAND[1:], f"127.0.0.1:{port}"],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until = time.monotonic() + SECONDS
        while not told.exists() or not told.read_bytes():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield Site(port, json.loads(told.read_text()))
    finally:
        process.terminate()
        process.wait(SECONDS)


def _hit(name: str, lines: Sequence[socket.socket], constant: bytes, ours: bytes) -> Case:
    def loop(name: str, request: bytes) -> Loop:
        def ask(_: int) -> list[bytes]:
            return _answers(lines, request)

        return Loop(name, ask, [0], _are_sounds, brings=LINES * SIZE, each=LINES)

    return Case(
        "W1",
        f"{SIZE // K} KiB hit through gunicorn by {name}, a request",
        loop("constant view", constant),
        loop("ours", ours),
        GOAL,
    )


def _are_sounds(_: object, answers: list[bytes]) -> bool:
    sound = clip_of(SIZE)
    return all(answer == sound for answer in answers)


def _answers(lines: Sequence[socket.socket], request: bytes) -> list[bytes]:
    """Ask on all lines at once; the bodies."""
    for line in lines:
        line.sendall(request)
    return [_body(line) for line in lines]


def _body(line: socket.socket) -> bytes:
    head, _, body = _until(line, lambda said: b"\r\n\r\n" in said).partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(head.decode())
    parts, size = [body], int(head.lower().partition(b"content-length: ")[2].split()[0])
    left = size - len(body)
    while left > 0:
        parts.append(line.recv(SIZE))
        left -= len(parts[-1])
    return b"".join(parts)


def _until(line: socket.socket, ends: Callable[[bytes], Any]) -> bytes:
    said = b""
    while not ends(said):
        if not (more := line.recv(SIZE)):
            raise RuntimeError("the server hung up")
        said += more
    return said


def _first_byte(site: Site, vendor: Vendor, audio_format: str) -> Case:
    numbers = iter(range(10**6))

    def late() -> float:
        """Of the first byte of a new phrase, behind the provider's; in ms."""
        with closing(site.line()) as line:
            text = f"Hello there, {audio_format} {next(numbers)}."
            line.sendall(site.speech(text, audio_format))
            _until(line, lambda said: said.partition(b"\r\n\r\n")[2])
            heard = time.monotonic()
            _until(line, lambda said: said.endswith(b"0\r\n\r\n"))
        return (heard - vendor.began) * 1000

    def take() -> tuple[float, str]:
        lates = [late() for _ in range(STREAMS)]
        return median(lates), f"slowest of {STREAMS}: {max(lates):.0f} ms"

    made = "" if audio_format == MASTER else f", as {audio_format} made of it"
    name = f"first byte of a miss behind the provider's, which then waits {PAUSE_SECONDS} s{made}"
    return Case("W2", name, Fixed("-", 1), Figure("ours", take), 50, unit="ms", rounds=1)
