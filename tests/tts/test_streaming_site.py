"""The views of docs/streaming.md in a process of their own, and clients who hang up on them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.tts.vendors.server import Reply, Server
from tests.tts.vendors.sounds import sound
from tests.tts.vendors.tap import Tap

SITE = Path(__file__).parents[1] / "sites" / "streaming.py"
TEXT = "The ferry to the island leaves from pier seven, at a quarter past nine."
MP3 = sound(TEXT, "mp3")
DIGEST = hashlib.sha256(MP3).hexdigest()
SECONDS = 30


def command(server: Server, folder: Path, how: str) -> dict[str, Any]:
    return {
        "args": [sys.executable, str(SITE), f"{server.url}/v1", str(folder), how],
        "env": os.environ | {"PYTHONPATH": str(SITE.parents[2])},
        "cwd": folder,
        "text": True,
    }


def answer(server: Server, folder: Path, how: str) -> Any:
    """What a process says at its end."""
    done = subprocess.run(
        **command(server, folder, how), capture_output=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def site(server: Server, folder: Path) -> Iterator[int]:
    """Its port."""
    with subprocess.Popen(
        **command(server, folder, "wsgi"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def stored(folder: Path) -> list[bytes]:
    """The clips that lie in the site's file."""
    with closing(sqlite3.connect(folder / "audio_cache.db")) as file:
        return [audio for (audio,) in file.execute("SELECT audio FROM audiocache_entry")]


def visit(port: int, *, leaves: bool = False) -> tuple[bytes, bytes]:
    """The head and the body; one who leaves does so at the first bytes of it."""
    got = head = body = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as line:
        line.sendall(f"GET /speak/?text={TEXT.replace(' ', '+')} HTTP/1.0\r\n\r\n".encode())
        while more := line.recv(65_536):
            got += more
            head, _, body = got.partition(b"\r\n\r\n")
            if leaves and body:
                break
    return head, body


def test_a_client_that_hangs_up_leaves_a_complete_clip(tmp_path: Path) -> None:
    tap = Tap(MP3, pieces=10)
    with Server(tap) as server:
        with site(server, tmp_path) as port:
            tap.let(2)
            head, heard = visit(port, leaves=True)
            assert b"Content-Type: audio/mpeg" in head
            assert 0 < len(heard) <= len(MP3) // 5 + 10
            assert len(tap.sent) <= 2  # it hung up in the middle
            tap.let()
            assert visit(port)[1] == MP3
        assert stored(tmp_path) == [MP3]
        assert len(server.heard) == 1
        assert not tap.left


def test_a_client_of_asgi_that_hangs_up_leaves_a_complete_clip(tmp_path: Path) -> None:
    with Server(Tap(MP3, pieces=10, pace=0.05)) as server:
        left, stayed = answer(server, tmp_path, "asgi")
        assert 0 < left < len(MP3) // 2
        assert stayed == DIGEST
        assert answer(server, tmp_path, "look") == DIGEST
        assert len(server.heard) == 1


def test_the_only_client_hangs_up_and_the_site_ends_and_the_clip_is_there(tmp_path: Path) -> None:
    with Server(Tap(MP3, pieces=10, pace=0.02)) as server:
        with site(server, tmp_path) as port:
            visit(port, leaves=True)
            limit = time.monotonic() + SECONDS
            while not stored(tmp_path):
                assert time.monotonic() < limit
                time.sleep(0.02)
        assert stored(tmp_path) == [MP3]
        assert len(server.heard) == 1


def test_a_provider_that_cuts_leaves_none(tmp_path: Path) -> None:
    tap = Tap(MP3, pieces=10, pace=0.05)
    tap.cut_after = 5
    with Server(tap) as server:
        with site(server, tmp_path) as port:
            head, heard = visit(port)
            assert b"200 OK" in head
            assert heard == b"".join(tap.pieces[:5])
        assert stored(tmp_path) == []
        assert len(server.heard) == 1


def test_an_error_before_the_first_byte_has_a_status(tmp_path: Path) -> None:
    with Server(Reply(401)) as server, site(server, tmp_path) as port:
        assert b"503 " in visit(port)[0]


def test_a_listener_in_another_process_waits_for_the_call_and_hears_the_stored_clip(
    tmp_path: Path,
) -> None:
    tap = Tap(MP3)
    with (
        Server(tap) as server,
        site(server, tmp_path) as one,
        site(server, tmp_path) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(visit, one)
        tap.let(1)
        while not tap.sent:
            time.sleep(0.01)
        second = pool.submit(visit, other)
        time.sleep(0.3)
        tap.let()
        assert first.result(SECONDS)[1] == second.result(SECONDS)[1] == MP3
        assert len(server.heard) == 1
