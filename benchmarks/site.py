"""A site as gunicorn loads it: a view that gives the same bytes always, and `tts.urls`.

SITE is its settings as JSON. It writes a key of the API and the address of a clip to told.json in
the working folder.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

given = json.loads(os.environ["SITE"])
settings.configure(
    SECRET_KEY=secrets.token_hex(),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["audiocache", "tts"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    **given["settings"],
)
django.setup()

from tts import SpeechRequest, get_tts_service
from tts.addresses import url_of
from tts.models import ApiKey

SOUND = Path(given["sound"]).read_bytes()


def constant(_: HttpRequest) -> HttpResponse:
    """What is to be had at most: the bytes of the clip, from nowhere."""
    size = {"Content-Length": str(len(SOUND))}
    return HttpResponse(SOUND, content_type="audio/wav", headers=size)


urlpatterns = [path("constant", constant), path("", include("tts.urls"))]
application = get_wsgi_application()

call_command("migrate", verbosity=0)
address = url_of(get_tts_service(), SpeechRequest(given["text"]))
told = {"key": ApiKey(name="measured").issue(), "address": address}
Path("told.json").write_text(json.dumps(told))
connections.close_all()
