"""A site with the views of docs/streaming.md, as a process: `streaming.py VENDOR FOLDER HOW`.

`wsgi` serves, and prints its port. `asgi` is visited by a client who hangs up after the first
piece, and by another one; prints what each got. `look` prints what is stored.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.urls import path

VENDOR, FOLDER, HOW = sys.argv[1:]
PAGE = Path(__file__).parents[2] / "docs" / "streaming.md"
TEXT = "The ferry to the island leaves from pier seven, at a quarter past nine."

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["audiocache", "tts"],
    AUDIOCACHE={"PERSISTENT_PATH": FOLDER},
    TTS={"PROVIDER": "openai", "MODEL": "tts-1", "BASE_URL": VENDOR, "API_KEY": "sk-none"},
    LOGGING_CONFIG=None,
)
django.setup()

from audiocache import get_audio_cache
from tts import SpeechRequest, get_tts_service

BLOCKS = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))
exec(BLOCKS["views.py"], globals())
urlpatterns = [path(f"{name}/", globals()[name]) for name in ("speak", "aspeak")]


class Threads(ThreadingMixIn, WSGIServer):
    """A thread for each visitor."""

    daemon_threads = False
    block_on_close = True


class Quiet(WSGIRequestHandler):
    """Prints no line for a visit."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve() -> None:
    with make_server("127.0.0.1", 0, get_wsgi_application(), Threads, Quiet) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


async def visit(*, leaves: bool) -> bytes:
    """What a visitor gets of the asynchronous view; one who leaves does so at the first piece."""
    got, came = bytearray(), asyncio.Event()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/aspeak/",
        "query_string": b"text=" + TEXT.replace(" ", "+").encode(),
        "headers": [],
    }
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for request in requests:
            return request
        await (came if leaves else asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        if body := message.get("body"):
            got.extend(body)
            came.set()

    await get_asgi_application()(scope, receive, send)
    return bytes(got)


async def visits() -> list[int | str]:
    left = await visit(leaves=True)
    stayed = await visit(leaves=False)
    return [len(left), hashlib.sha256(stayed).hexdigest()]


def look() -> str | None:
    service = get_tts_service()
    entry = service.cache.find(service.complete(SpeechRequest(TEXT)).clip())
    return entry and hashlib.sha256(entry.audio).hexdigest()


if __name__ == "__main__":
    if HOW == "wsgi":
        serve()
    else:
        print(json.dumps(asyncio.run(visits()) if HOW == "asgi" else look()))
        get_audio_cache().close()
