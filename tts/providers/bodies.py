"""The body of an answer: read as it arrives, never more of it than is plausible."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from tts.providers.base import Take
from tts.providers.calls import HttpAnswer

CHUNK: Final = 65_536
MAX_ERROR: Final = 65_536
"""Bytes that are read of an error's body."""

TROUBLE: Final = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
"""What the libraries below raise when a call goes wrong."""


class Unfit(Exception):
    """Why the rest of a body is not read."""


def read(response: requests.Response, limit: int, take: Take | None = None) -> HttpAnswer:
    """The answer with its body of at most `limit` bytes; of an error's only the beginning.

    The body of a success is given to `take` as it comes.
    Raises Unfit, or one of TROUBLE when it breaks off.
    """
    if not 200 <= response.status_code < 300:
        return HttpAnswer(response.status_code, response.headers, _beginning(response))
    _refuse_unfit(response, limit)
    body = bytearray()
    for chunk in chunks(response):
        body += chunk
        if len(body) > limit:
            raise Unfit(f"the answer is longer than the {limit} bytes that are plausible")
        if take:
            take(chunk)
    return HttpAnswer(response.status_code, response.headers, bytes(body))


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives; what is packed is not unpacked."""
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk


def _refuse_unfit(response: requests.Response, limit: int) -> None:
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise Unfit("the answer is compressed, although it was asked for as it is")
    length = HttpAnswer(200, response.headers, b"").number("Content-Length")
    if length is not None and length > limit:
        raise Unfit(f"the answer has {length} bytes; at most {limit} are plausible")


def _beginning(response: requests.Response) -> bytes:
    """Of an error's body; empty when it breaks off."""
    body = bytearray()
    try:
        for chunk in chunks(response):
            body += chunk
            if len(body) > MAX_ERROR:
                break
    except TROUBLE:
        return b""
    return bytes(body[:MAX_ERROR])
