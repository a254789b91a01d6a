"""Speech that browsers play: what an address stands for is made at its first play, then found.

An address is for whoever has it, so `no-cache` and `no-store`, which would make the site pay
again, are advice that is not followed here; `only-if-cached` is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from xxhash import xxh3_128_hexdigest

from audiocache.clock import now_ms
from audiocache.playing import HEADERS, Sound, playable_type, respond
from tts.addresses import Addressed, NoSuchAddress, addressed_by
from tts.cache_status import cache_status
from tts.exceptions import (
    InvalidSpeechRequest,
    NotCached,
    ProviderError,
    SpeechTimeout,
    TTSError,
)
from tts.formats import content_type_of
from tts.service import TTSService, get_tts_service
from tts.speech import Speech
from tts.wishes import Wishes, speech_by, wishes_of

YEAR: Final = 365 * 24 * 3600
STATUSES: Final = ((InvalidSpeechRequest, 404), (NotCached, 504), (SpeechTimeout, 504))
"""Of what is raised; any other error is 503."""


@csrf_exempt  # so that POST is 405: nothing here changes anything
@require_safe
def audio(request: HttpRequest, name: str, extension: str) -> HttpResponseBase:
    """The sound of an address, whole or in part; 404 for one that this site did not make."""
    service = get_tts_service()
    try:
        addressed = addressed_by(name, extension)
        speech = _speech(request, service, addressed)
    except NoSuchAddress:
        return _refusal(404)
    except TTSError as error:
        return _refused(error)
    return _played(request, speech, addressed) if speech else _unmade(request, extension)


def _speech(request: HttpRequest, service: TTSService, addressed: Addressed) -> Speech | None:
    """None: it is not there, and HEAD does not pay for it.

    Raises NoSuchAddress for one of another provider, whose voices this one does not know.
    """
    if addressed.provider != service.provider.name:
        raise NoSuchAddress
    asked = wishes_of(request.headers.get("Cache-Control", ""))
    looks_only = request.method == "HEAD" or asked.only_if_cached
    try:
        wishes = Wishes(only_if_cached=looks_only)
        return speech_by(service, addressed.request, wishes, namespace=addressed.namespace)
    except NotCached:
        if asked.only_if_cached or not looks_only:
            raise
        return None


def _played(request: HttpRequest, speech: Speech, addressed: Addressed) -> HttpResponse:
    audio = speech.audio
    extension = request.path.rpartition(".")[2]
    sound = Sound(
        audio,
        playable_type(speech.content_type),
        _etag(audio),
        f"{speech.key[:12]}.{extension}",
    )
    headers = {
        "Cache-Control": _cache_control(speech, addressed),
        "Cache-Status": cache_status(speech, now_ms()),
    }
    return respond(request, sound, headers)


def _etag(audio: bytes) -> str:
    """Strong: of the bytes. Nobody gains by a collision, and sha256 takes twenty times as long."""
    return f'"{xxh3_128_hexdigest(audio)}"'


def _cache_control(speech: Speech, addressed: Addressed) -> str:
    """The same address is the same request for ever; what stood in for its answer is not kept."""
    if speech.stale or speech.fallback:
        return "no-cache"
    left = YEAR if addressed.until is None else max(0, addressed.until - int(time.time()))
    scope = "private" if addressed.namespace else "public"
    return f"{scope}, max-age={min(YEAR, left)}, immutable"


def _unmade(request: HttpRequest, extension: str) -> StreamingHttpResponse:
    """HEAD of what nobody has played: length and ETag are not known (RFC 9110, section 9.3.2)."""
    # No HttpResponse: for that one Django says that it has 0 bytes.
    nothing = _no_pieces() if isinstance(request, ASGIRequest) else iter(())
    content_type = playable_type(content_type_of(extension))
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return StreamingHttpResponse(nothing, content_type=content_type, headers=headers)


async def _no_pieces() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece


def _refused(error: TTSError) -> HttpResponse:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 503)
    response = _refusal(status)
    if isinstance(error, ProviderError) and error.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
    return response


def _refusal(status: int) -> HttpResponse:
    """Plain, and without a word of the provider's."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(status=status, content_type="text/plain", headers=headers)
