"""A site with the HTTP API, as servers load it: `application` (WSGI), `asgi`.

SITE is its settings as JSON. It makes its own database and keys, whose tokens it writes to
keys.json; each process writes all that is logged to site.log. Both lie in the working folder.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.urls import include, path
from django.utils import timezone

logging.basicConfig(filename="site.log", level=logging.DEBUG)
settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=["audiocache", "tts"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    LOGGING_CONFIG=None,
    **json.loads(os.environ["SITE"]),
)
django.setup()

from audiocache.asgi import with_shutdown
from tts.models import ApiKey

urlpatterns = [path("speech/", include("tts.urls"))]

KEYS = {
    "usual": ApiKey(name="usual"),
    "tenant": ApiKey(name="tenant", namespace="tenant"),
    "limited": ApiKey(name="limited", daily_characters=200),
    "joiner": ApiKey(name="joiner", daily_characters=200),
    "timed": ApiKey(name="timed", scopes=["speech", "timing"]),
    "spent": ApiKey(name="spent", daily_characters=1),
    "listener": ApiKey(name="listener", scopes=["catalogue"]),
    "expired": ApiKey(name="expired", expires=timezone.now() - timedelta(days=1)),
    "revoked": ApiKey(name="revoked", revoked=timezone.now()),
}

call_command("migrate", verbosity=0)
Path("keys.json").write_text(json.dumps({name: key.issue() for name, key in KEYS.items()}))
connections.close_all()

application = get_wsgi_application()
asgi = with_shutdown(get_asgi_application())
