"""A sound as the answer to GET or HEAD: whole, in part (206), 304, 412 or 416 (RFC 9110)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from audiocache.conditions import unmet
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
    is_new: bool = False
    """Nobody had it before this request."""


def playable_type(content_type: str) -> str:
    """The content type without parameters where it is audio, else application/octet-stream.

    Whoever stores a clip chooses its content type: none may run as a page of the site.
    """
    plain = content_type.partition(";")[0].strip().lower()
    return plain if plain in EXTENSIONS else UNKNOWN


def respond(request: HttpRequest, sound: Sound, headers: Mapping[str, str]) -> HttpResponse:
    """What the request's conditions and its range leave of the sound."""
    status = _unmet(request, sound)
    if status == HTTPStatus.NOT_MODIFIED:
        return HttpResponseNotModified(headers={**HEADERS, "ETag": sound.etag, **headers})
    return _refused(sound, status, headers) if status else _ranged(request, sound, headers)


def _unmet(request: HttpRequest, sound: Sound) -> int | None:
    given = request.META  # `headers` would be made of all that it holds
    match, none_match = given.get("HTTP_IF_MATCH", ""), given.get("HTTP_IF_NONE_MATCH", "")
    return unmet(match, none_match, sound.etag, is_new=sound.is_new)


def _ranged(request: HttpRequest, sound: Sound, headers: Mapping[str, str]) -> HttpResponse:
    size = len(sound.audio)
    try:
        part = one_range(_range_header(request, sound.etag), size)
    except NotSatisfiable:
        return _refused(sound, 416, {**headers, "Content-Range": f"bytes */{size}"})
    if part is None:
        return _response(sound, sound.audio, 200, headers)
    begin, end = part
    place = {"Content-Range": f"bytes {begin}-{end - 1}/{size}"}
    return _response(sound, sound.audio[begin:end], 206, {**headers, **place})


def _refused(sound: Sound, status: int, headers: Mapping[str, str]) -> HttpResponse:
    """Without a body; nobody keeps it."""
    return _response(sound, b"", status, {**headers, "Cache-Control": "no-store"})


def _range_header(request: HttpRequest, etag: str) -> str:
    """Empty, too, for HEAD, and when the part that the client has is of other bytes."""
    if request.method != "GET" or request.META.get("HTTP_IF_RANGE", etag) != etag:
        return ""
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
