"""The cache's own database alias, apart from the caller's connection and transaction (law 6).

Which one: the alias that is named; the SQLite file in the folder that is named; the alias
`audiocache`; a SQLite file beside the site's; or a second connection to the site's database.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.creation import TEST_DATABASE_PREFIX

from audiocache import inherited
from audiocache.conf import CacheConfig
from audiocache.forks import RenewedLock

logger = logging.getLogger(__name__)

ALIAS: Final = "audiocache"
FILE_NAME: Final = "audio_cache.db"
SQLITE: Final = "django.db.backends.sqlite3"
IN_MEMORY_TEST: Final = "file:memorydb_"
"""How Django's test runs name a SQLite database that is no file."""

PRAGMAS: Final = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
PRAGMA mmap_size=268435456;
PRAGMA secure_delete=FAST;
PRAGMA journal_size_limit=67108864;
PRAGMA cache_size=-8192;
"""
"""FAST overwrites what is deleted in pages that are written anyway, where texts are; ON would write
each page of a sound that goes: see docs/privacy.md.
"""
SQLITE_OPTIONS: Final = {
    "init_command": PRAGMAS,
    "transaction_mode": "IMMEDIATE",
    "timeout": 0.8,
    "detect_types": 0,
}
"""Seconds of waiting for another writer, for callers do not wait longer (law 3); who migrates or
imports does: see `own_file.patient`. Types by the columns' declarations cost a quarter of a
look-up, and Django's fields convert their values themselves.
"""
POSTGRESQL_OPTIONS: Final = {
    "server_side_binding": True,
    "connect_timeout": 2,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 5000,
}
"""That no statement has a text in it (law 11), also where Django makes it.

For libpq, so that callers do not wait on a server that is gone (law 3): seconds, but the last,
which is ms. All are the client's own; behind pgbouncer the server never hears of them.
"""
KEEP_OPEN: Final = {"CONN_MAX_AGE": None, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True}

_own_files: dict[str, str] = {}
"""Alias by path of SQLite files that are the cache's own: created and migrated at first use.

A test run gives an alias another file, so the path in `connections` does not tell.
"""
_in_use = ""
"""The alias of the process's cache, whatever configuration that was made with."""
_lock = RenewedLock()


def default_alias() -> str:
    """The alias of the process's cache; before there is one, of its configuration.

    Raises ImproperlyConfigured.
    """
    return _in_use or _configured()


def use(alias: str) -> None:
    """The process's cache lies there from now on; empty: it has no database, or is not built."""
    global _in_use  # noqa: PLW0603 - one for the process, as the cache is
    _in_use = alias


@cache
def _configured() -> str:
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
    use("")
    _configured.cache_clear()


def alias_of(config: CacheConfig) -> str:
    """The alias that a configuration means, registered. Raises ImproperlyConfigured."""
    alias = _meant_by(config)
    inherited.keep_apart(alias)
    return alias


def _meant_by(config: CacheConfig) -> str:
    if config.persistent_database:
        return _named(config.persistent_database)
    if config.persistent_path:
        return _file_alias(Path(config.persistent_path))
    if ALIAS in connections.databases and not is_own_file(ALIAS):
        return _completed(ALIAS)
    default = connections.databases["default"]
    if default["ENGINE"] == SQLITE:
        if is_own_file(ALIAS) and is_of_tests(default):
            return ALIAS  # beside the site's file, which has made room for the test run's
        return _file_alias(_folder_beside(str(default["NAME"])))
    return _second_connection(default)


def is_own_file(alias: str) -> bool:
    """Is it a SQLite file of the cache's own, which nobody else creates and migrates?"""
    return alias in _own_files.values()


def in_memory(name: str) -> bool:
    """Is this NAME of a SQLite database no file?"""
    return not name or ":memory:" in name or "mode=memory" in name


def is_of_tests(database: dict[str, Any]) -> bool:
    """Is it one that a test run has made, and drops at its end?"""
    name, given = str(database["NAME"]), database.get("TEST", {}).get("NAME")
    begins = Path(name).name.startswith(TEST_DATABASE_PREFIX)
    return name == str(given) or begins or name.startswith(IN_MEMORY_TEST)


def _named(alias: str) -> str:
    if alias not in connections.databases:
        raise ImproperlyConfigured(
            f"CACHE_PERSISTENT_DATABASE: {alias!r} is not an alias in DATABASES"
        )
    return _completed(alias) if alias == ALIAS else alias


def _completed(alias: str) -> str:
    """An alias that is ours alone gets the options that suit it, where none are given."""
    database = connections.databases[alias]
    database["OPTIONS"] = _options_for(database["ENGINE"]) | database["OPTIONS"]
    # Django refuses connections that stay open together with a pool.
    if not database.get("CONN_MAX_AGE") and not database["OPTIONS"].get("pool"):
        database["CONN_MAX_AGE"] = None
    # Else every view would begin a transaction here, too, and roll clips back with its own.
    database["ATOMIC_REQUESTS"] = False
    return alias


def _options_for(engine: str) -> dict[str, Any]:
    if engine == SQLITE:
        return dict(SQLITE_OPTIONS)
    # Also PostGIS, and backends of others built on these two.
    return dict(POSTGRESQL_OPTIONS) if "postg" in engine else {}


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
        # Each time: a child may have been forked between the two.
        alias = _own_files[path]
        _add(alias, {"ENGINE": SQLITE, "NAME": path, "OPTIONS": dict(SQLITE_OPTIONS)})
        return alias


def _second_connection(default: dict[str, Any]) -> str:
    options = _options_for(default["ENGINE"]) | default.get("OPTIONS", {})
    # A pool's threads and connections would not survive a fork, nor stay open between requests.
    options.pop("pool", None)
    _add(ALIAS, {**default, "OPTIONS": options})
    return ALIAS


def _add(alias: str, database: dict[str, Any]) -> None:
    if alias not in connections.databases:
        given = {"default": database, alias: {**database, **KEEP_OPEN}}
        connections.databases[alias] = connections.configure_settings(given)[alias]
