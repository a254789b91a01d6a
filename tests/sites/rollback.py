"""A site with ATOMIC_REQUESTS, run as a process of its own: `rollback.py DATABASE_URL FOLDER`.

Prints, as JSON, what is left of each view's own work and of the clip it stored.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

from project.settings import database_url

URL, FOLDER = sys.argv[1], Path(sys.argv[2])

if __name__ == "__main__":
    settings.configure(
        SECRET_KEY="only for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        DATABASES={"default": database_url(URL, FOLDER) | {"ATOMIC_REQUESTS": True}},
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "audiocache",
        ],
        DEBUG_PROPAGATE_EXCEPTIONS=False,
        LOGGING_CONFIG=None,
    )
    django.setup()

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from audiocache import database, get_audio_cache


class Undo(Exception):
    """Rolls the request's transaction back."""


def speak(request: Any, order: str, end: str) -> HttpResponse:
    """Writes a row before or after it stores a clip."""
    name = f"{order}-{end}"
    if order == "before":
        Group.objects.create(name=name)
    get_audio_cache().put(name, b"paid for")
    if order == "after":
        Group.objects.create(name=name)
    if end == "rollback":
        raise Undo
    return HttpResponse(get_audio_cache().get(name))


urlpatterns = [path("<str:order>/<str:end>/", speak)]


def visit(order: str, end: str) -> dict[str, Any]:
    response = Client(raise_request_exception=False).get(f"/{order}/{end}/")
    name = f"{order}-{end}"
    stored = get_audio_cache().tiers["persistent"].get(get_audio_cache().clip(name).key)
    return {
        "status": response.status_code,
        "row": Group.objects.filter(name=name).exists(),
        "clip": None if stored is None else stored.audio.decode(),
    }


def drop_the_cache_s_table() -> None:
    with connections[database.default_alias()].cursor() as cursor:
        cursor.execute("DROP TABLE audiocache_entry")


def main() -> None:
    call_command("migrate", verbosity=0)
    seen = {
        f"{order} {end}": visit(order, end)
        for order in ("before", "after")
        for end in ("rollback", "commit")
    }
    drop_the_cache_s_table()
    for order in ("before", "after"):
        client = Client(raise_request_exception=False)
        Group.objects.filter(name=f"{order}-commit").delete()
        status = client.get(f"/{order}/commit/").status_code
        row = Group.objects.filter(name=f"{order}-commit").exists()
        seen[f"{order} without table"] = {"status": status, "row": row}
    connection.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
