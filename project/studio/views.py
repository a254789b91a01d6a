"""The page, and what it asks for when somebody presses Speak."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Final

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from project.studio.forms import StudioForm, phrases
from project.studio.told import as_curl, told, why_not
from tts.addresses import url_of
from tts.cache_status import server_timing
from tts.exceptions import InvalidSpeechRequest, TTSError
from tts.service import get_tts_service

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No address outside of this site, and nothing inline."""

View = Callable[[HttpRequest], HttpResponseBase]


def may_speak(request: HttpRequest) -> bool:
    """Speech costs money: for staff, or for all while DEBUG is on."""
    user = getattr(request, "user", None)
    return settings.DEBUG or bool(user and user.is_active and user.is_staff)


def strict(view: View) -> View:
    """The view's answer, under the strict policy."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponseBase:
        response = view(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return guarded


@strict
@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponseBase:
    """The studio, or the way in."""
    if not may_speak(request):
        return redirect_to_login(request.path, reverse("admin:login"))
    service = get_tts_service()
    context = {
        "form": StudioForm(service.provider),
        "phrases": phrases(),
        "provider": service.provider.name,
    }
    return render(request, "project/studio.html", context)


@strict
@require_safe
def reading(request: HttpRequest) -> HttpResponse:
    """A page that can be heard, made with the template tag; its phrases are fixed, so for all."""
    return render(request, "project/reading.html")


@strict
@never_cache
@require_POST
def speak(request: HttpRequest) -> HttpResponseBase:
    """Where the sound is, and how it came; 400 or 503 with a sentence for people."""
    if not may_speak(request):
        return JsonResponse({"error": "Please log in first."}, status=403)
    service = get_tts_service()
    form = StudioForm(service.provider, request.POST)
    if not form.is_valid():
        return _wrong(*form.first_error())
    try:
        return _spoken(request, form)
    except InvalidSpeechRequest as error:
        return _wrong(error.field, error.limit)
    except TTSError as error:
        return JsonResponse({"error": why_not(error)}, status=503)


def _spoken(request: HttpRequest, form: StudioForm) -> HttpResponse:
    service, wanted = get_tts_service(), form.speech_request()
    url = url_of(service, wanted)  # it says what is wrong before anything is paid for
    started = time.perf_counter()
    speech = service.synthesize_sync(wanted)
    seconds = time.perf_counter() - started
    site = request.build_absolute_uri("/").rstrip("/")
    answer = told(url, speech, seconds * 1000)
    headers = {
        "Cache-Status": answer["cacheStatus"],
        "Server-Timing": server_timing(speech, seconds),
    }
    return JsonResponse({**answer, "curl": as_curl(service, wanted, site)}, headers=headers)


def _wrong(field: str, limit: str) -> JsonResponse:
    name = field.removeprefix("audio_").capitalize()
    return JsonResponse({"error": f"{name}: {limit}", "field": field}, status=400)
