"""Servers of other people, started by exec, with the site tests/sites/served.py in them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from project.servers import free_port
from tests.tts.vendors import openai

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SITE = "tests.sites.served"
SECONDS = 30
"""For a server to start, and to end."""


@dataclass(frozen=True)
class Kind:
    """A server with its options; `{port}` is where it listens, `{queue}` what it consumes."""

    words: str
    speak: str = "speak"
    """The view; none for a worker of Celery's."""
    loads_once: bool = False
    """It loads the site before it forks: the cache is used at that time already."""
    counts_the_start: bool = True
    """What was counted while loading is written down in the end."""

    def command(self, **given: object) -> list[str]:
        program, *words = self.words.split("|")
        filled = [word.strip().format(site=SITE, **given) for word in words]
        return [str(BIN / program.strip()), *filled]


GUNICORN = "gunicorn|--no-control-socket|--workers|2|--bind|127.0.0.1:{port}|{site}:application"
UWSGI = (
    "uwsgi|--master|--processes|2|--need-app|--http-socket|127.0.0.1:{port}"
    "|--module|{site}:application|--hook-master-start|unix_signal:15 gracefully_kill_them_all"
)
KINDS = {
    "gunicorn": Kind(GUNICORN),
    "gunicorn with threads": Kind(f"{GUNICORN}|--threads|4"),
    "gunicorn preload": Kind(f"{GUNICORN}|--preload|--threads|4", loads_once=True),
    "uwsgi": Kind(UWSGI, loads_once=True, counts_the_start=False),
    "uwsgi with threads": Kind(f"{UWSGI}|--threads|4", loads_once=True, counts_the_start=False),
    "uwsgi that tells Python": Kind(
        f"{UWSGI}|--threads|4|--py-call-uwsgi-fork-hooks", loads_once=True, counts_the_start=False
    ),
    "uvicorn": Kind("uvicorn|--port|{port}|{site}:asgi", speak="aspeak"),
    "uvicorn with workers": Kind("uvicorn|--port|{port}|--workers|2|{site}:asgi", speak="aspeak"),
    "celery prefork": Kind(
        "celery|-A|{site}:worker|worker|--pool|prefork|-c|2|-Q|{queue}|--without-gossip"
        "|--without-mingle|--without-heartbeat",
        speak="",
        loads_once=True,
    ),
}


@contextmanager
def served(kind: Kind, site: Mapping[str, Any], folder: Path, **more: str) -> Iterator[Served]:
    """The running server; whatever it started ends with the block."""
    port = free_port()
    environment = {"PYTHONPATH": str(ROOT), "SITE": json.dumps(site, default=str), **more}
    if kind.loads_once:
        environment["AT_START"] = "1"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            kind.command(port=port, queue=more.get("QUEUE")), cwd=folder,
            stdout=log, stderr=log, start_new_session=True, env={**os.environ, **environment},
        )  # fmt: skip
    try:
        yield Served(kind, port, process, folder / "server.log")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True)
class Served:
    """A server under way."""

    kind: Kind
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def wait(self) -> None:
        """Until it listens."""
        until = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def get(self, path: str, headers: Mapping[str, str] = {}) -> tuple[int, bytes]:
        line = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        line.request("GET", path, headers=dict(headers))
        answer = line.getresponse()
        with contextlib.closing(line):
            return answer.status, answer.read()

    @contextmanager
    def asked(self, path: str) -> Iterator[None]:
        """A client that asks, and has hung up when the block ends."""
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            yield

    def end(self) -> None:
        """SIGTERM, as an orchestrator sends it; then it has to end by itself."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(SECONDS)


def settings(folder: Path, vendor_url: str, **cache: Any) -> dict[str, Any]:
    """A site on a SQLite file in a folder that pays for speech at this address."""
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    return {
        "DATABASES": {"default": default},
        "AUDIOCACHE": cache or {"BACKEND": "sqlite"},
        "TTS": {
            "PROVIDER": "openai", "API_KEY": openai.KEY, "BASE_URL": f"{vendor_url}/v1",
            "MODEL": "tts-1", "FORMAT": "wav", "TIMEOUT": 10,
        },
    }  # fmt: skip
