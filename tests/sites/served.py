"""A site that speaks, as servers load it: `application` (WSGI), `asgi`, `worker` (Celery).

SITE is its settings as JSON. With AT_START the cache is used while the server loads the site, so
that a server that loads before it forks has connections and threads to inherit. FLUSH is every
how many seconds counters are written down.
"""

from __future__ import annotations

import json
import os
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["audiocache", "tts"],
    LOGGING_CONFIG=None,
    **json.loads(os.environ["SITE"]),
)
django.setup()

import celery
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from audiocache import get_audio_cache, upkeep
from audiocache.asgi import with_shutdown
from tts import get_tts_service

upkeep.FLUSH_SECONDS = float(os.environ.get("FLUSH", upkeep.FLUSH_SECONDS))  # type: ignore[misc]


def speak(request: HttpRequest, text: str) -> HttpResponse:
    return HttpResponse(get_tts_service().synthesize_text_sync(text), content_type="audio/wav")


async def aspeak(request: HttpRequest, text: str) -> HttpResponse:
    return HttpResponse(await get_tts_service().synthesize_text(text), content_type="audio/wav")


def state(request: HttpRequest) -> HttpResponse:
    """Which process answers, and how many errors its tiers have had."""
    errors: dict[str, Any] = get_audio_cache().get_comprehensive_stats()["performance"]["errors"]
    return HttpResponse(json.dumps({"process": os.getpid(), "errors": sum(errors.values())}))


urlpatterns = [
    path("speak/<str:text>", speak),
    path("aspeak/<str:text>", aspeak),
    path("state", state),
    path("", include("audiocache.urls")),
]

application = get_wsgi_application()
asgi = with_shutdown(get_asgi_application())
worker = celery.Celery("served", broker=os.environ.get("BROKER"))
worker.conf.broker_connection_retry_on_startup = False


@worker.task(name="speak", ignore_result=True)
def spoken(text: str) -> None:
    get_tts_service().synthesize_text_sync(text)


worker.loader.import_default_modules()

if os.environ.get("AT_START"):
    get_audio_cache().put("at start", b"sound")
    assert get_audio_cache().tiers["persistent"].get(get_audio_cache().clip("at start").key)
