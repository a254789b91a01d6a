"""A bucket on a server of its own, and a Django storage on it, as those of S3 are.

It knows no folders, says by errors of its own that there is nothing, gives a file another name
than it was asked for, and may be out of order for a while.
"""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from tests.tts.vendors.server import Heard, Reply, Server


class BucketError(Exception):
    """As the client of a bucket raises: no FileNotFoundError."""


class Bucket:
    """What the server holds."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}

    def answer(self, line: socket.socket, heard: Heard) -> bool:
        name = unquote(heard.path).removeprefix("/")
        if "prefix" in heard.query:
            found = [one for one in self.objects if one.startswith(heard.query["prefix"])]
            return Reply(body=json.dumps(found).encode())(line, heard)
        return self._answer(heard, name)(line, heard)

    def _answer(self, heard: Heard, name: str) -> Reply:
        if heard.method == "PUT":
            self.objects[name] = heard.body, time.time()
        elif heard.method == "DELETE":
            self.objects.pop(name, None)
            return Reply(204)
        if name not in self.objects:
            return Reply(404)
        body, written = self.objects[name]
        return Reply(body=body, headers={"X-Written": str(written)})


class BucketStorage(Storage):
    """`location` is the server's address."""

    def __init__(self, location: str) -> None:
        self._where = str(urlsplit(location).netloc)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        root, _, ending = name.rpartition(".")
        return f"{root}_k3.{ending}" if ending == "wav" else name

    def _open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(self._asked("GET", name)[0])

    def _save(self, name: str, content: Any) -> str:
        self._asked("PUT", name, content.read())
        content.close()  # as the clients of buckets do
        return name

    def delete(self, name: str) -> None:
        self._asked("DELETE", name)

    def exists(self, name: str) -> bool:
        try:
            self._asked("GET", name)
        except BucketError as error:
            if error.args != (404,):
                raise
            return False
        return True

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = f"{path}/"
        names = json.loads(self._asked("GET", f"?prefix={quote(prefix)}")[0])
        rest = [name.removeprefix(prefix) for name in names]
        folders = {name.partition("/")[0] for name in rest if "/" in name}
        return sorted(folders), [name for name in rest if "/" not in name]

    def get_modified_time(self, name: str) -> datetime:
        return datetime.fromtimestamp(float(self._asked("GET", name)[1]), tz=UTC)

    def _asked(self, method: str, name: str, body: bytes = b"") -> tuple[bytes, str]:
        line = HTTPConnection(self._where, timeout=10)
        try:
            line.request(method, f"/{name}", body or None)
            answer = line.getresponse()
            told = answer.read(), answer.headers.get("X-Written", "")
        finally:
            line.close()
        if answer.status >= 400:
            raise BucketError(answer.status)
        return told


def bucket_server(bucket: Bucket) -> Server:
    return Server(bucket.answer)
