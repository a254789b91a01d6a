"""The body of an answer: read as it arrives, never more of it than is plausible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from tts.deadline import Deadline, of_call, until
from tts.providers.base import Take
from tts.providers.calls import HttpAnswer

CHUNK: Final = 65_536
MAX_ERROR: Final = 65_536
"""Bytes that are read of an error's body."""
ERROR_SECONDS: Final = 1.0
"""That long it is waited for: the status says nearly all of it."""

TROUBLE: Final = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
"""What the libraries below raise when a call goes wrong."""


class Unfit(Exception):
    """Why the rest of a body is not read."""


class Broken(Exception):
    """A body broke off before its end."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body
        """What came of it."""


def read(response: requests.Response, limit: int, take: Take | None = None) -> HttpAnswer:
    """The answer with its body of at most `limit` bytes; of an error's only the beginning.

    The body of a success is given to `take` as it comes. Raises Unfit or Broken.
    """
    if not 200 <= response.status_code < 300:
        return HttpAnswer(response.status_code, response.headers, _beginning(response))
    _refuse_unfit(response, limit)
    body = bytearray()
    try:
        for chunk in chunks(response):
            body += chunk
            if len(body) > limit:
                raise Unfit(f"the answer is longer than the {limit} bytes that are plausible")
            if take:
                take(chunk)
    except TROUBLE as error:
        raise Broken(bytes(body)) from error
    return HttpAnswer(response.status_code, response.headers, bytes(body))


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives; what is packed is not unpacked."""
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk


def _refuse_unfit(response: requests.Response, limit: int) -> None:
    if response.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise Unfit("the answer is compressed, although it was asked for as it is")
    length = HttpAnswer(200, response.headers, b"").number("Content-Length")
    if length is not None and length > limit:
        raise Unfit(f"the answer has {length} bytes; at most {limit} are plausible")


def _beginning(response: requests.Response) -> bytes:
    """Of an error's body: as far as it comes soon."""
    body = bytearray()
    with suppress(*TROUBLE), until((of_call() or Deadline.after(60)).or_within(ERROR_SECONDS)):
        for chunk in chunks(response):
            body += chunk
            if len(body) > MAX_ERROR:
                break
    return bytes(body[:MAX_ERROR])
