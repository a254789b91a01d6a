"""The body of a request: bounded, read to its end, plain JSON and nothing beside it."""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest
from django.http.request import UnreadablePostError

from tts.api.exceptions import TooLarge, WrongBody, WrongMediaType, WrongMethod

MAX_BODY: Final = 128 * 1024
"""Bytes; the longest right body has less, with every character escaped."""
MAX_LEFT: Final = 32 * 1024 * 1024
"""Bytes of a longer body that are read all the same: who is still sending hears no answer."""
_PIECE: Final = 64 * 1024


def read(request: HttpRequest) -> bytes:
    """The bytes of a POST. Raises a Refused."""
    if request.method != "POST":
        raise WrongMethod("POST")
    try:
        body = request.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            _leave(request)
            raise TooLarge(f"The body must have at most {MAX_BODY} bytes.")
    except UnreadablePostError as error:
        raise WrongBody("The body was not sent to its end.") from error
    _check_headers(request)
    return bytes(body)


def _check_headers(request: HttpRequest) -> None:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise WrongMediaType("The body must not be compressed.")
    # No page of another origin can send this type without being asked first, also where
    # TTS_AUTHENTICATION goes by a cookie.
    if request.content_type != "application/json":
        raise WrongMediaType("The body must be application/json.")


def _leave(request: HttpRequest) -> None:
    for _ in range(MAX_LEFT // _PIECE):
        if not request.read(_PIECE):
            return


def parsed(body: bytes) -> Any:
    """JSON in UTF-8 without NaN, Infinity or a name given twice. Raises WrongBody."""
    try:
        return json.loads(body.decode(), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        # Without its cause, which holds the body.
        raise WrongBody("The body is no valid JSON.") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found
