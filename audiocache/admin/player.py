"""An entry's sound for the player on its page.

Whoever stores a clip chooses its content type; what is not known as audio is sent as bytes
without a meaning, and nothing that is sent here can run as a page of the admin's site.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse

from audiocache.admin.ranges import NotSatisfiable, one_range
from audiocache.content_types import EXTENSIONS, UNKNOWN, extension
from audiocache.models import AudioCacheEntry

HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Sound(NamedTuple):
    """What is read of a row to play it."""

    key: str
    revision: int
    content_type: str
    audio: bytes

    @property
    def etag(self) -> str:
        """Changes when the entry is replaced."""
        return f'"{self.key[:32]}-{self.revision}"'


def playable_type(content_type: str) -> str:
    """The content type without parameters where it is audio, else application/octet-stream."""
    plain = content_type.partition(";")[0].strip().lower()
    return plain if plain in EXTENSIONS else UNKNOWN


def sound_of(pk: int) -> Sound:
    """The sound of an entry, as it lies in the row. Raises Http404."""
    row = (
        AudioCacheEntry.objects.filter(pk=pk)
        .values_list("key", "revision", "content_type", "audio")
        .first()
    )
    if row is None or row[3] is None:
        raise Http404(f"there is no sound in entry {pk}")
    return Sound(row[0], row[1], playable_type(row[2]), bytes(row[3]))


def respond(request: HttpRequest, sound: Sound) -> HttpResponse:
    """The whole, the part that is asked for (206), or 416."""
    try:
        part = one_range(_range_header(request, sound.etag), len(sound.audio))
    except NotSatisfiable:
        return _response(sound, b"", 416, f"bytes */{len(sound.audio)}")
    if part is None:
        return _response(sound, sound.audio, 200)
    begin, end = part
    place = f"bytes {begin}-{end - 1}/{len(sound.audio)}"
    return _response(sound, sound.audio[begin:end], 206, place)


def _range_header(request: HttpRequest, etag: str) -> str:
    """Empty, too, when the part that the browser has is of another revision."""
    if request.headers.get("If-Range", etag) != etag:
        return ""
    return request.headers.get("Range", "")


def _response(sound: Sound, body: bytes, status: int, content_range: str = "") -> HttpResponse:
    kind = "attachment" if sound.content_type == UNKNOWN else "inline"
    name = f"{sound.key[:12]}.{extension(sound.content_type)}"
    headers = HEADERS | {
        "Content-Disposition": f'{kind}; filename="{name}"',
        "Content-Length": str(len(body)),
        "ETag": sound.etag,
    }
    if content_range:
        headers["Content-Range"] = content_range
    return HttpResponse(body, status=status, content_type=sound.content_type, headers=headers)
