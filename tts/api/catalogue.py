"""What can be asked for: GET /v1/models and GET /v1/audio/voices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse

from tts.access.authentication import aauthenticate, authenticate
from tts.access.callers import CATALOGUE
from tts.api.asking import models_of
from tts.api.exceptions import WrongMethod
from tts.service import TTSService, get_tts_service

Listing = Callable[[TTSService], dict[str, Any]]


class Catalogue:
    """A view of one listing, in both forms."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def view(self, request: HttpRequest) -> JsonResponse:
        """Under WSGI."""
        _check_method(request)
        authenticate(request, CATALOGUE)
        return JsonResponse(self._listing(get_tts_service()))

    async def aview(self, request: HttpRequest) -> JsonResponse:
        """Under ASGI; a provider may read files for its list."""
        _check_method(request)
        await aauthenticate(request, CATALOGUE)
        return JsonResponse(await sync_to_async(self._listing)(get_tts_service()))


def _check_method(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise WrongMethod("GET, HEAD")


def models(service: TTSService) -> dict[str, Any]:
    """OpenAI's list."""
    owner = service.provider.name
    rows = [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name in models_of(service)
    ]
    return {"object": "list", "data": rows}


def voices(service: TTSService) -> dict[str, Any]:
    """As servers that speak the API list them; empty where the provider does not say."""
    known = {voice.id: voice for voice in service.provider.voices()}
    rows = [
        {"id": voice.id, "name": voice.name, "languages": list(voice.languages)}
        for voice in known.values()
    ]
    names = [alias for alias in service.config.voice_names if alias not in known]
    return {"voices": [*rows, *({"id": name, "name": name, "languages": []} for name in names)]}
