"""The body of a request: bounded, read to its end, plain JSON and nothing beside it."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from django.http import HttpRequest

from tts.api.exceptions import TooLarge, WrongBody, WrongMediaType, WrongMethod

MAX_BODY: Final = 128 * 1024
"""Bytes; the longest right body has less, with every character escaped."""
MAX_LEFT: Final = 32 * 1024 * 1024
"""Bytes of a longer body that are read all the same: who is still sending hears no answer."""
_PIECE: Final = 64 * 1024


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read(request: HttpRequest) -> bytes:
    """The bytes of a POST. Raises a Refused."""
    if request.method != "POST":
        raise WrongMethod("POST")
    try:
        body = _at_most(MAX_BODY + 1, _source(request))
    except Exception as error:  # a chunk that is none is an error of the server's own kind
        raise WrongBody("The body was not sent to its end.") from error
    if len(body) > MAX_BODY:
        raise TooLarge(f"The body must have at most {MAX_BODY} bytes.")
    _check_headers(request)
    return bytes(body)


def _source(request: HttpRequest) -> _Source:
    """Django takes a body without Content-Length for none. A server under WSGI that knows where
    its input ends, as gunicorn does, has undone the chunks.
    """
    given = getattr(request, "environ", {})
    in_chunks = given.get("wsgi.input_terminated") and not given.get("CONTENT_LENGTH")
    source: _Source = given["wsgi.input"] if in_chunks else request
    return source


def _check_headers(request: HttpRequest) -> None:
    coding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding not in {"", "identity"}:
        raise WrongMediaType("The body must not be compressed.")
    # No page of another origin can send this type without being asked first, also where
    # TTS_AUTHENTICATION goes by a cookie.
    if request.content_type != "application/json":
        raise WrongMediaType("The body must be application/json.")


def _at_most(size: int, source: _Source) -> bytes:
    """The beginning of it; of a longer one, what comes behind that is read and dropped."""
    body = source.read(size)
    if len(body) == size:
        for _ in range(MAX_LEFT // _PIECE):
            if not source.read(_PIECE):
                break
    return body


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
