"""System checks of where large clips are to lie. They connect to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from audiocache import database
from audiocache.conf import PERSISTENT, CacheConfig

FOLDERS: Final = "django.core.files.storage.FileSystemStorage"


def clips(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    """Of CACHE_STORAGE and CACHE_INLINE_MAX_KB."""
    if PERSISTENT not in config.tier_names:
        return
    if config.storage and config.storage not in settings.STORAGES:
        yield checks.Error(
            f"CACHE_STORAGE: {config.storage!r} is not an alias in STORAGES",
            id="audiocache.E020",
        )
    elif config.inline_max_kb and not config.storage and not _is_file(config):
        yield checks.Error(
            "CACHE_INLINE_MAX_KB needs CACHE_STORAGE: the cache's database is no SQLite file.",
            hint="Name an alias in STORAGES that all hosts share; 0 keeps all clips in rows.",
            id="audiocache.E021",
        )
    yield from _shared(config)


def _shared(config: CacheConfig) -> Iterator[checks.CheckMessage]:
    if config.storage == "default":
        yield checks.Warning(
            "CACHE_STORAGE is the storage of uploads: who can fetch those can fetch clips.",
            hint="Give clips an alias of their own in STORAGES, which nobody serves.",
            id="audiocache.W020",
        )
    given = settings.STORAGES.get(config.storage or "", {})
    if given.get("BACKEND") == FOLDERS and not _is_file(config):
        yield checks.Warning(
            f"STORAGES[{config.storage!r}] is a folder: every host must have the same one.",
            hint="Mount it on all of them, or use a bucket; ignore this with one host.",
            id="audiocache.W021",
        )


def _is_file(config: CacheConfig) -> bool:
    """Is the cache's database a SQLite file? Its clips lie beside it."""
    try:
        return connections[database.alias_of(config)].vendor == "sqlite"
    except ImproperlyConfigured:
        return True  # E002 says what is wrong
