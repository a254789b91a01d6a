"""Settings of the test run; tests.servers_plugin has started what they name."""

import os
from pathlib import Path
from typing import Any

from project.settings import (
    DEFAULT_AUTO_FIELD,
    MIDDLEWARE,
    ROOT_URLCONF,
    TEMPLATES,
    TIME_ZONE,
    USE_TZ,
    database_url,
)
from project.settings import INSTALLED_APPS as SITE_APPS

__all__ = [
    "DEFAULT_AUTO_FIELD",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "TEMPLATES",
    "TIME_ZONE",
    "USE_TZ",
]

FOLDER = Path(os.environ["TEST_FOLDER"])
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def sqlite(name: str) -> dict[str, Any]:
    """A file, also in tests: threads share a file, and not a database in memory."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / f"{name}.sqlite3",
        "TEST": {"NAME": FOLDER / f"test_{name}.sqlite3"},
    }


INSTALLED_APPS = [*SITE_APPS, "tests.quick_flush"]
SECRET_KEY = "only for tests"
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {
    # The cache's own file has the options that the cache gives it.
    "default": sqlite("site") | {"OPTIONS": {"init_command": "PRAGMA synchronous=OFF"}},
    "audiocache": sqlite("audiocache"),
    "audiocache_pg": {
        **database_url(os.environ["TEST_POSTGRES_URL"], FOLDER),
        "OPTIONS": {"server_side_binding": True},  # as the cache's own connection has it
    },
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Every worker has a Redis database of its own: gw0 is 1, a run without workers is 0.
# A machine that is busy with tests is no Redis in trouble; tests of that have servers of their own.
REDIS_DATABASE = int(WORKER.removeprefix("gw") or -1) + 1
TEST_REDIS_URL = f"{os.environ['TEST_REDIS_URL']}/{REDIS_DATABASE}?socket_timeout=5"
TTS = {"PROVIDER": "tone"}

CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
