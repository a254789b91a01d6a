"""Processes of a site, each `tests/sites/speaker.py`, that speak through one provider."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.db import connections

from tests.tts.vendors import openai
from tests.tts.vendors.server import Heard, Server

SCRIPT = Path(__file__).parents[1] / "sites" / "speaker.py"
CALL_SECONDS = 0.3
"""How long the provider takes."""


def slowly(line: socket.socket, heard: Heard) -> bool:
    """OpenAI's answer, CALL_SECONDS after the call."""
    reply = openai.reply(heard)
    time.sleep(max(0.0, heard.at + CALL_SECONDS - time.monotonic()))
    return reply(line, heard)


def site(
    folder: Path, provider: Server, *, redis_url: str = "", alias: str = "", **tts: Any
) -> dict[str, Any]:
    """Settings: SQLite in a folder, or the database of an alias; with Redis if there is an address.

    The folder's name begins the keys in Redis.
    """
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    databases: dict[str, Any] = {"default": default}
    # Without a limit: under a load of puts a phrase would be evicted, and rightly be paid again.
    cache: dict[str, Any] = {"BACKEND": "sqlite", "PERSISTENT_MAX_SIZE": 0}
    if alias:
        known = connections[alias].settings_dict
        names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
        databases["clips"] = {**{name: known[name] for name in names}, "CONN_MAX_AGE": None}
        cache["PERSISTENT_DATABASE"] = "clips"
    if redis_url:
        cache |= {"BACKEND": "multi-tier", "REDIS_URL": redis_url, "REDIS_PREFIX": folder.name}
    speech: dict[str, Any] = {
        "PROVIDER": "openai",
        "API_KEY": openai.KEY,
        "MODEL": "tts-1",
        "FORMAT": "wav",
    }
    speech |= {"BASE_URL": f"{provider.url}/v1", "TIMEOUT": 20, **tts}
    return {"DATABASES": databases, "AUDIOCACHE": cache, "TTS": speech}


class Speaker:
    """One process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(settings, default=str)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip

    def order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def close(self) -> None:
        """End it; one that was killed is gone already."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextmanager
def speakers(number: int, settings: dict[str, Any]) -> Iterator[list[Speaker]]:
    """So many processes, each of which has spoken once: imports and first connections are done."""
    with ExitStack() as stack:
        started = [Speaker(settings) for _ in range(number)]
        for speaker in started:
            stack.callback(speaker.close)
        together(started, speak=["Welcome."], threads=2)
        yield started


def together(speakers: Sequence[Speaker], **order: Any) -> list[dict[str, Any]]:
    """All obey at one instant; their answers."""
    at = time.monotonic() + 0.5
    for speaker in speakers:
        speaker.order(**{"at": at, **order})
    return [speaker.answer() for speaker in speakers]
