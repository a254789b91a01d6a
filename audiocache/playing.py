"""A sound as the answer to GET or HEAD: whole, in part (206), 304, 412 or 416 (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from audiocache.content_types import EXTENSIONS, UNKNOWN
from audiocache.ranges import NotSatisfiable, one_range

HEADERS: Final = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}


class Sound(NamedTuple):
    """What is played."""

    audio: bytes
    content_type: str
    etag: str
    """With its quotes; strong: other bytes have another one."""
    name: str
    """Of the file, for who saves it."""


def playable_type(content_type: str) -> str:
    """The content type without parameters where it is audio, else application/octet-stream.

    Whoever stores a clip chooses its content type: none may run as a page of the site.
    """
    plain = content_type.partition(";")[0].strip().lower()
    return plain if plain in EXTENSIONS else UNKNOWN


def respond(request: HttpRequest, sound: Sound, headers: Mapping[str, str]) -> HttpResponse:
    """What the request's conditions and its range leave of the sound."""
    whole = _response(sound, sound.audio, 200, headers)
    # Without a Last-Modified, conditions by date are ignored: section 13.1.3.
    answer = get_conditional_response(request, etag=sound.etag, response=whole)
    if answer is not None and answer is not whole:
        return answer
    return _ranged(request, sound, whole, headers)


def _ranged(
    request: HttpRequest, sound: Sound, whole: HttpResponse, headers: Mapping[str, str]
) -> HttpResponse:
    size = len(sound.audio)
    try:
        part = one_range(_range_header(request, sound.etag), size)
    except NotSatisfiable:
        refused = {"Cache-Control": "no-store", "Content-Range": f"bytes */{size}"}
        return _response(sound, b"", 416, {**headers, **refused})
    if part is None:
        return whole
    begin, end = part
    place = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
    return _response(sound, sound.audio[begin:end], 206, {**headers, **place})


def _range_header(request: HttpRequest, etag: str) -> str:
    """Empty, too, for HEAD, and when the part that the client has is of other bytes."""
    if request.method != "GET" or request.META.get("HTTP_IF_RANGE", etag) != etag:
        return ""
    # `headers` would be made of all that META holds.
    return str(request.META.get("HTTP_RANGE", ""))


def _response(sound: Sound, body: bytes, status: int, headers: Mapping[str, str]) -> HttpResponse:
    kind = "attachment" if sound.content_type == UNKNOWN else "inline"
    ours = HEADERS | {
        "Content-Disposition": f'{kind}; filename="{sound.name}"',
        "Content-Length": str(len(body)),
        "ETag": sound.etag,
    }
    return HttpResponse(
        body, status=status, content_type=sound.content_type, headers={**ours, **headers}
    )
