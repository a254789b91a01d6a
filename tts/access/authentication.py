"""From a request to its caller: by an API key, or as TTS_AUTHENTICATION says."""

from __future__ import annotations

from typing import Final

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from tts.access.callers import Caller
from tts.access.exceptions import MissingScope, NoKey, WrongApiKey
from tts.access.keys import keys
from tts.access.own import caller_by
from tts.service import get_tts_service

LONGEST: Final = 200
"""Characters of a token; a longer one is none of ours."""


def authenticate(request: HttpRequest, scope: str) -> Caller:
    """Who asks, if he may do this. Raises AccessRefused, and see `caller_by`."""
    if (own := _own()) is not None:
        return _allowed(caller_by(own, request), scope)
    return _allowed(keys.find(token_of(request)), scope)


async def aauthenticate(request: HttpRequest, scope: str) -> Caller:
    """See `authenticate`: a key that is at hand needs no thread, all else gets one."""
    if _own() is None and (caller := keys.at_hand(token_of(request))):
        return _allowed(caller, scope)
    return await sync_to_async(authenticate)(request, scope)


def token_of(request: HttpRequest) -> str:
    """Of `Authorization: Bearer ...`. Raises AccessRefused."""
    word, _, token = str(request.META.get("HTTP_AUTHORIZATION", "")).strip().partition(" ")
    token = token.strip()
    if word.lower() != "bearer" or not token:
        raise NoKey("no API key was given: send Authorization: Bearer <key>")
    if len(token) > LONGEST:
        raise WrongApiKey("the API key is not known")
    return token


def _own() -> str | None:
    """Dotted path of a site's own."""
    return get_tts_service().config.authentication


def _allowed(caller: Caller, scope: str) -> Caller:
    if not caller.may(scope):
        raise MissingScope(f"the API key lacks the scope {scope!r}")
    return caller
