"""The cache's own database alias, apart from the caller's connection and transaction (law 6).

Which one: the alias that is named; the SQLite file in the folder that is named; the alias
`audiocache`; a SQLite file beside the site's; or a second connection to the site's database.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from audiocache.conf import CacheConfig

logger = logging.getLogger(__name__)

ALIAS: Final = "audiocache"
FILE_NAME: Final = "audio_cache.db"
SQLITE: Final = "django.db.backends.sqlite3"

PRAGMAS: Final = """
PRAGMA auto_vacuum=INCREMENTAL;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA mmap_size=268435456;
PRAGMA secure_delete=OFF;
PRAGMA journal_size_limit=67108864;
PRAGMA cache_size=-8192;
"""
SQLITE_OPTIONS: Final = {"init_command": PRAGMAS, "transaction_mode": "IMMEDIATE", "timeout": 20}
KEEP_OPEN: Final = {"CONN_MAX_AGE": None, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True}

_own_files: dict[str, str] = {}
"""Alias by path of SQLite files that are the cache's own: created and migrated at first use.

A test run gives an alias another file, so the path in `connections` does not tell.
"""
_lock = threading.RLock()


@cache
def default_alias() -> str:
    """The alias of the process's configuration. Raises ImproperlyConfigured."""
    return alias_of(CacheConfig.load())


def register() -> None:
    """Make the process's alias known to Django before test runs look; connects to nothing."""
    try:
        default_alias()
    except ImproperlyConfigured:
        # The system checks report it; without them the first use does.
        logger.debug("no database alias: the configuration is wrong")


def forget() -> None:
    """Ask the configuration anew, after a change of settings."""
    default_alias.cache_clear()


def alias_of(config: CacheConfig) -> str:
    """The alias that a configuration means, registered. Raises ImproperlyConfigured."""
    if config.persistent_database:
        return _named(config.persistent_database)
    if config.persistent_path:
        return _file_alias(Path(config.persistent_path))
    if ALIAS in connections.databases and not is_own_file(ALIAS):
        return _completed(ALIAS)
    default = connections.databases["default"]
    if default["ENGINE"] == SQLITE:
        return _file_alias(_folder_beside(str(default["NAME"])))
    return _second_connection(default)


def is_own_file(alias: str) -> bool:
    """Is it a SQLite file of the cache's own, which nobody else creates and migrates?"""
    return alias in _own_files.values()


def in_memory(name: str) -> bool:
    """Is this NAME of a SQLite database no file?"""
    return not name or ":memory:" in name or "mode=memory" in name


def _named(alias: str) -> str:
    if alias not in connections.databases:
        raise ImproperlyConfigured(
            f"CACHE_PERSISTENT_DATABASE: {alias!r} is not an alias in DATABASES"
        )
    return _completed(alias) if alias == ALIAS else alias


def _completed(alias: str) -> str:
    """An alias that is ours alone gets the options that suit it, where none are given."""
    database = connections.databases[alias]
    if database["ENGINE"] == SQLITE:
        database["OPTIONS"] = SQLITE_OPTIONS | database["OPTIONS"]
    if not database.get("CONN_MAX_AGE"):
        database["CONN_MAX_AGE"] = None
    # Else every view would begin a transaction here, too, and roll clips back with its own.
    database["ATOMIC_REQUESTS"] = False
    return alias


def _folder_beside(site_file: str) -> Path:
    return (Path() if in_memory(site_file) else Path(site_file).parent) / "cache"


def _file_alias(folder: Path) -> str:
    """The alias of the file in this folder: ALIAS for the first, one of its own for others."""
    path = str((folder / FILE_NAME).absolute())
    with _lock:
        if path not in _own_files:
            digest = hashlib.sha256(path.encode()).hexdigest()[:12]
            alias = f"{ALIAS}_{digest}" if ALIAS in connections.databases else ALIAS
            _own_files[path] = alias
            _add(alias, {"ENGINE": SQLITE, "NAME": path, "OPTIONS": dict(SQLITE_OPTIONS)})
        return _own_files[path]


def _second_connection(default: dict[str, Any]) -> str:
    _add(ALIAS, default)
    return ALIAS


def _add(alias: str, database: dict[str, Any]) -> None:
    if alias not in connections.databases:
        given = {"default": database, alias: {**database, **KEEP_OPEN}}
        connections.databases[alias] = connections.configure_settings(given)[alias]
