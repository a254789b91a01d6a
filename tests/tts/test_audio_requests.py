"""Must show 3 of speech over HTTP: ranges and conditions against running servers.

Sent byte by byte on a socket: no client puts right what is wrong in a request.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from xxhash import xxh3_128_hexdigest

from project.servers import free_port
from tests.tts.audio_requests import CASES, Case
from tts.addresses import name_of
from tts.conf import TTSConfig
from tts.providers.tone import ToneProvider
from tts.speech import SpeechRequest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECONDS = 60
SERVERS = {
    "gunicorn": "gunicorn --no-control-socket --access-logfile - --threads 4"
    " --bind 127.0.0.1:{port} project.wsgi",
    "uvicorn": "uvicorn --port {port} project.asgi:application",
}
TONE = ToneProvider(TTSConfig())


def path_of(text: str) -> str:
    """An address made here, by the key that the site has."""
    return f"/audio/{name_of(TONE.complete(SpeechRequest(text)), 'wav')}.wav"


PATH = path_of("The ferry leaves from pier seven.")


@dataclass(frozen=True)
class Answer:
    """As it came."""

    status: int
    headers: Message
    body: bytes


class Site:
    """A running server with the demo site in it."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self.sound = b""

    def ask(self, path: str, headers: dict[str, str], method: str = "GET") -> Answer:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as line:
            line.sendall("\r\n".join([*lines, "", ""]).encode())
            came = b"".join(iter(lambda: line.recv(65536), b""))
        head, _, body = came.partition(b"\r\n\r\n")
        status, _, fields = head.partition(b"\r\n")
        return Answer(int(status.split()[1]), BytesParser().parsebytes(fields), body)

    def fill(self, pattern: str) -> str:
        """The sound's numbers in place of their names."""
        size = len(self.sound)
        etag = f'"{xxh3_128_hexdigest(self.sound)}"'
        pattern = re.sub(r"{size-(\d+)}", lambda found: str(size - int(found[1])), pattern)
        words = {"{size}": str(size), "{last}": str(size - 1), "{etag}": etag}
        return re.sub("|".join(words), lambda found: words[found[0]], pattern)


def environment(folder: Path) -> dict[str, str]:
    given = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DJANGO_SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_DEBUG": "false",
        "DJANGO_ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": f"sqlite:////{folder / 'site.sqlite3'}",
        "CACHE_BACKEND": "memory",
        "TTS_PROVIDER": "tone",
        "PYTHONPATH": str(ROOT),
    }
    return {**os.environ, **given}


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    found = Site(free_port(), folder / "log")
    program, *words = SERVERS[request.param].format(port=found.port).split()
    with found.log.open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / program), *words],
            cwd=folder,
            env=environment(folder),
            stdout=log,
            stderr=log,
        )
    try:
        await_site(found, process)
        found.sound = found.ask(PATH, {}).body
        yield found
    finally:
        process.terminate()
        process.wait(SECONDS)


def await_site(site: Site, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", site.port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, site.log.read_text()
            assert time.monotonic() < until, site.log.read_text()
            time.sleep(0.02)


def test_there_are_as_many_as_was_promised() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.section)
def test_a_request(site: Site, case: Case) -> None:
    headers = {name: site.fill(value) for name, value in case.headers.items()}
    answer = site.ask(PATH, headers, case.method)
    assert answer.status == case.status
    for name, value in case.told.items():
        assert answer.headers[name].startswith(site.fill(value)), name
    if case.part is not None:
        assert answer.body == (b"" if case.method == "HEAD" else site.sound[case.part])
    if case.status == 206:
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["ETag"] == site.fill("{etag}")


@pytest.mark.parametrize("name", ["Range", "If-None-Match", "If-Range", "Cache-Control"])
def test_oversized_headers_harm_nobody(site: Site, name: str) -> None:
    """Section 5.4: 4xx, or answered; and the next request is."""
    for size in (8_000, 200_000):
        try:
            status = site.ask(PATH, {name: "bytes=" + "0-1," * (size // 4)}).status
        except ConnectionError:  # it hung up with our bytes unread
            continue
        assert status == 200 or 400 <= status < 500
    assert site.ask(PATH, {}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        PATH.replace(".wav", ".mp3"),
        PATH[:20] + ("A" if PATH[20] != "A" else "B") + PATH[21:],
        "/audio/abc.wav",
        "/audio/" + "A" * 3000 + ".wav",
        "/audio/.wav",
        PATH.replace(".wav", ""),
    ],
)
def test_a_name_that_was_not_made_here(site: Site, path: str) -> None:
    answer = site.ask(path, {"Range": "bytes=0-1"})
    assert answer.status == 404
    assert b"ferry" not in answer.body


def test_head_of_what_nobody_has_played_makes_nothing(site: Site) -> None:
    path = path_of("Nobody has played this.")
    for _ in range(2):
        head = site.ask(path, {}, "HEAD")
        assert (head.status, head.headers["Content-Type"]) == (200, "audio/wav")
        assert (head.headers["Content-Length"], head.headers["ETag"]) == (None, None)
        assert head.body == b""
    assert site.ask(path, {"Cache-Control": "only-if-cached"}).status == 504
    played = site.ask(path, {"Range": "bytes=0-"})
    assert played.headers["Cache-Status"] == "audiocache; fwd=uri-miss; stored"
    assert (played.status, played.body[:4]) == (206, b"RIFF")
    assert site.ask(path, {}, "HEAD").headers["Content-Length"] == str(len(played.body))


def test_law_11_the_servers_log_addresses_and_no_text(site: Site) -> None:
    site.ask(PATH, {})
    log = site.log.read_text()
    assert PATH[:30] in log
    assert not re.search("ferry|pier|played this", log)
