"""Speech that browsers play: what an address stands for is made at its first play, then found.

An address is for whoever has it, so `no-cache` and `no-store`, which would make the site pay
again, are advice that is not followed here; `only-if-cached` is.
"""

from __future__ import annotations

import math
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
    BudgetSpent,
    InvalidSpeechRequest,
    NotCached,
    ProviderError,
    SpeechTimeout,
    TTSError,
)
from tts.formats import content_type_of
from tts.service import TTSService, get_tts_service
from tts.speech import PROVIDER, Speech
from tts.wishes import Wishes, aspeech_by, speech_by, wishes_of

YEAR: Final = 365 * 24 * 3600
STATUSES: Final = (
    (NoSuchAddress, 404),
    (InvalidSpeechRequest, 404),
    (NotCached, 504),
    (SpeechTimeout, 504),
)
"""Of what is raised; any other error is 503."""


@csrf_exempt  # so that POST is 405: nothing here changes anything
@require_safe
def audio(request: HttpRequest, name: str, extension: str) -> HttpResponseBase:
    """The sound of an address, whole or in part; 404 for one that this site did not make."""
    try:
        service, addressed = _meant(name, extension)
        speech = speech_by(
            service, addressed.request, _honoured(request), namespace=addressed.namespace
        )
    except (TTSError, NoSuchAddress) as error:
        return _without_sound(request, extension, error)
    return _played(request, speech, addressed)


@csrf_exempt
@require_safe
async def aaudio(request: HttpRequest, name: str, extension: str) -> HttpResponseBase:
    """See `audio`; holds no thread while a clip is made."""
    try:
        service, addressed = _meant(name, extension)
        speech = await aspeech_by(
            service, addressed.request, _honoured(request), namespace=addressed.namespace
        )
    except (TTSError, NoSuchAddress) as error:
        return _without_sound(request, extension, error)
    return _played(request, speech, addressed)


def _meant(name: str, extension: str) -> tuple[TTSService, Addressed]:
    """Raises NoSuchAddress, also for one of another provider, whose voices this one lacks."""
    service, addressed = get_tts_service(), addressed_by(name, extension)
    if addressed.provider != service.provider.name:
        raise NoSuchAddress
    return service, addressed


def _wishes(request: HttpRequest) -> Wishes:
    return wishes_of(request.META.get("HTTP_CACHE_CONTROL", ""))


def _honoured(request: HttpRequest) -> Wishes:
    """HEAD pays for nothing."""
    looks_only = request.method == "HEAD" or _wishes(request).only_if_cached
    return Wishes(only_if_cached=looks_only)


def _played(request: HttpRequest, speech: Speech, addressed: Addressed) -> HttpResponse:
    audio = speech.audio
    extension = request.path.rpartition(".")[2]
    sound = Sound(
        audio,
        playable_type(speech.content_type),
        _etag(audio),
        f"{speech.key[:12]}.{extension}",
        is_new=speech.tier == PROVIDER,
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


def _without_sound(
    request: HttpRequest, extension: str, error: TTSError | NoSuchAddress
) -> HttpResponseBase:
    """Why there is none. HEAD of what nobody has played yet is no error."""
    asks_only_cache = _wishes(request).only_if_cached
    if isinstance(error, NotCached) and request.method == "HEAD" and not asks_only_cache:
        return _unmade(request, extension)
    return _refused(error)


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


def _refused(error: TTSError | NoSuchAddress) -> HttpResponse:
    """Plain, and without a word of the provider's."""
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 503)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if isinstance(error, ProviderError | BudgetSpent) and error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return HttpResponse(status=status, content_type="text/plain", headers=headers)
