"""The HTTP API on running servers, before a vendor that speaks OpenAI's API."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tts.api import sdk
from tests.tts.serving import SECONDS, Kind, Served, served, settings
from tests.tts.vendors import openai
from tests.tts.vendors.server import Behaviour, Server

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

SITE = "tests.sites.api"
GUNICORN = Kind(
    "gunicorn|--no-control-socket|--preload|--workers|2|--threads|20|--bind|127.0.0.1:{port}|"
    f"{SITE}:application"
)
UVICORN = Kind(f"uvicorn|--port|{{port}}|{SITE}:asgi")


@dataclass
class Site:
    """A running site, its keys by name, and whom it pays."""

    server: Served
    folder: Path
    vendor: Server
    keys: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/speech/v1"

    @cached_property
    def _clients(self) -> dict[str, OpenAI]:
        return {}

    def client(self, key: str = "usual") -> OpenAI:
        if key not in self._clients:
            given = self.keys.get(key, key)
            self._clients[key] = sdk.OpenAI(base_url=self.url, api_key=given, timeout=SECONDS)
        return self._clients[key]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def aclient(self, key: str = "usual") -> AsyncOpenAI:
        client: AsyncOpenAI = sdk.AsyncOpenAI(
            base_url=self.url, api_key=self.keys.get(key, key), timeout=SECONDS
        )
        return client

    def row(self, key: str) -> dict[str, Any]:
        """Of the key, in the site's database."""
        with closing(sqlite3.connect(self.folder / "site.sqlite3")) as file:
            file.row_factory = sqlite3.Row
            return dict(file.execute("SELECT * FROM tts_apikey WHERE name = ?", [key]).fetchone())

    def post(
        self, body: bytes | dict[str, Any], key: str = "usual", **headers: str
    ) -> tuple[HTTPResponse, bytes]:
        line = HTTPConnection("127.0.0.1", self.server.port, timeout=SECONDS)
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.keys[key]}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        line.request("POST", "/speech/v1/audio/speech", sent, given | named)
        answer = line.getresponse()
        read = answer.read()
        line.close()
        return answer, read

    @contextmanager
    def asked(self, body: dict[str, Any], key: str = "usual") -> Iterator[None]:
        """A client that asks, and has hung up when the block ends."""
        sent = json.dumps(body).encode()
        head = (
            "POST /speech/v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.keys[key]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.server.port)) as line:
            line.sendall(head.encode() + sent)
            yield


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.005)


def running(
    kind: Kind, folder: Path, answer: Behaviour = openai.answer, **tts: Any
) -> Iterator[Site]:
    with Server(answer) as vendor:
        site = settings(folder, vendor.url, BACKEND="multi-tier")
        site["TTS"] |= tts
        with served(kind, site, folder) as server:
            server.wait()
            keys = json.loads((folder / "keys.json").read_text())
            with closing(Site(server, folder, vendor, keys)) as found:
                yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Under gunicorn."""
    yield from running(GUNICORN, tmp_path_factory.mktemp("gunicorn"))


@pytest.fixture(scope="module")
def asgi_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Under uvicorn."""
    yield from running(UVICORN, tmp_path_factory.mktemp("uvicorn"))
