"""A provider that speaks OpenAI's API: it sends a first piece, waits, and sends the rest."""

from __future__ import annotations

import random
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

from tts.wav import wav_of

FIRST: Final = 8192
"""Bytes of the first piece."""
PAUSE_SECONDS: Final = 0.2
RATE: Final = 24_000


@cache
def clip_of(size: int) -> bytes:
    """Noise in a WAV file of so many bytes."""
    return wav_of(random.Random(size).randbytes(size - len(wav_of(b"", RATE))), RATE)


class Vendor:
    """Runs on loopback with the block; any text has the same sound."""

    def __init__(self, size: int) -> None:
        self.began = 0.0
        """When the first piece was sent last, by time.monotonic()."""
        self._sound = clip_of(size)
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "audio/wav")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                vendor._send(self)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _send(self, line: BaseHTTPRequestHandler) -> None:
        self.began = time.monotonic()
        _write(line, self._sound[:FIRST])
        time.sleep(PAUSE_SECONDS)
        _write(line, self._sound[FIRST:])
        line.wfile.write(b"0\r\n\r\n")


def _write(line: BaseHTTPRequestHandler, piece: bytes) -> None:
    line.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
