"""The demo's site: the HTTP API on loopback, in a process of its own, with a key made for it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from project.demo.newcomer import MANAGE, NewcomerFailed
from project.demo.surroundings import is_foreign
from tts.models import ApiKey

OPTION: Final = "--site"
START, END = 60, 10
"""Seconds for each, at most."""


class Site(NamedTuple):
    """Where it listens, and what opens it."""

    url: str
    key: str


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """A site that keeps all it has in this folder. Raises NewcomerFailed."""
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
        "CACHE_PERSISTENT_PATH": str(folder),
        "TTS_PROVIDER": "espeak",
        "DJANGO_DEBUG": "true",
    }
    others = {name: value for name, value in os.environ.items() if not is_foreign(name)}
    with subprocess.Popen(
        [sys.executable, str(MANAGE), "demo", OPTION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=others | own,
    ) as process:
        try:
            yield _told(process)
        finally:
            _end(process)


def _told(process: subprocess.Popen[str]) -> Site:
    assert process.stdout is not None
    patience = threading.Timer(START, process.kill)
    patience.start()
    try:
        line = process.stdout.readline()
    finally:
        patience.cancel()
    if not line:
        raise NewcomerFailed("the site did not start")
    return Site(**json.loads(line))


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(END)
    finally:
        process.kill()


def serve(until_closed: TextIO, tell: TextIO) -> None:
    """In the other process: tell where and with which key, and serve until the input is closed."""
    logging.disable()
    call_command("migrate", "tts", verbosity=0)
    key = ApiKey(name="demo").issue()
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell.write(json.dumps(Site(f"http://127.0.0.1:{server.server_port}", key)._asdict()) + "\n")
    tell.flush()
    until_closed.read()
    server.shutdown()
    server.server_close()
