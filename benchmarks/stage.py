"""What the rows are measured on: a folder, a site of Django's, a Redis and a PostgreSQL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from audiocache.conf import CacheConfig

FOREIGN: Final = ("CACHE_", "TTS_", "DATABASE_URL", "DJANGO_")
"""A developer's own settings stay out."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is."""

    folder: Path
    quick: bool
    redis_url: str
    postgres: dict[str, Any]
    """As in DATABASES."""

    def size(self, full: int, quick: int) -> int:
        """How many: of a long run, or of a quick one."""
        return quick if self.quick else full

    def new_folder(self, name: str) -> Path:
        """An empty one."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def config(self, folder: Path | None = None, **given: Any) -> CacheConfig:
        """Our defaults, with a file in a folder of its own."""
        from audiocache.conf import CacheConfig

        return CacheConfig(persistent_path=str(folder or self.new_folder("cache")), **given)


def set_up(folder: Path, postgres: dict[str, Any]) -> None:
    """Django, with our tables' PostgreSQL under our alias."""
    import django
    from django.conf import settings

    def cache(backend: str, **more: Any) -> dict[str, Any]:
        limits = {"MAX_ENTRIES": 5000}
        return {"BACKEND": f"django.core.cache.backends.{backend}", "OPTIONS": limits, **more}

    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.sqlite3"}
    settings.configure(
        INSTALLED_APPS=["audiocache"],
        DATABASES={"default": sqlite, "audiocache": postgres},
        CACHES={
            "default": cache("locmem.LocMemCache"),
            "table": cache("db.DatabaseCache", LOCATION="django_cache"),
            "files": cache("filebased.FileBasedCache", LOCATION=str(folder / "django-files")),
        },
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


@contextmanager
def build(*, quick: bool) -> Iterator[Stage]:
    """All of it, started now and ended with the block."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    from project.servers import start_postgres, start_redis
    from project.settings import database_url

    with ExitStack() as stack:
        place = tempfile.TemporaryDirectory(prefix="audiocache-bench-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(place))
        postgres = database_url(stack.enter_context(start_postgres()).url, folder)
        redis = stack.enter_context(start_redis())
        set_up(folder, postgres)
        stack.callback(_leave)
        _make_tables()
        yield Stage(folder, quick, f"{redis.url}/0", postgres)


def _leave() -> None:
    """Before the folder goes and the servers end."""
    from django.db import connections

    from audiocache.pulse import pulse

    pulse.stop()
    connections.close_all()


def _make_tables() -> None:
    from django.core.management import call_command

    call_command("createcachetable", "django_cache", verbosity=0)
    for alias in ("default", "audiocache"):
        call_command("migrate", database=alias, verbosity=0)
