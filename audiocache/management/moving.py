"""What the commands that move the table share: whose it is, and who waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache import database, own_file
from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.exceptions import TierError
from audiocache.management.output import Output
from audiocache.moving import Table
from audiocache.tiers.persistent import PersistentTier


def cache_with_table(purpose: str) -> MultiTierAudioCache:
    """The cache of the process. Raises CommandError when it has no table."""
    cache = get_audio_cache()
    if PERSISTENT not in cache.tiers:
        raise CommandError(f"CACHE_BACKEND has no database tier to {purpose}.")
    return cache


@contextmanager
def patiently(alias: str) -> Iterator[None]:
    """The table is ready, and other writers are waited for: no request is behind this.

    Trouble of the database is a CommandError: what was done stays, and is not done again.
    """
    own_file.prepare(connections[alias])
    try:
        with own_file.patient(connections[alias]), _unmapped(connections[alias]):
            yield
    except TierError as error:
        raise CommandError(f"The cache's database: {error}. Run it again.") from error


@contextmanager
def _unmapped(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Who reads all of a SQLite file once would have all of it in this process's memory."""
    raw = connection.connection
    if connection.vendor != "sqlite":
        yield
        return
    [before] = raw.execute("PRAGMA mmap_size").fetchone()
    raw.execute("PRAGMA mmap_size=0")
    try:
        yield
    finally:
        if connection.connection is raw:
            raw.execute(f"PRAGMA mmap_size={before}")


def alias_of(cache: MultiTierAudioCache) -> str:
    """Of the cache's table."""
    return database.alias_of(cache.config)


def tier_of(cache: MultiTierAudioCache) -> PersistentTier:
    """The tier of the cache's table."""
    tier = cache.tiers[PERSISTENT]
    assert isinstance(tier, PersistentTier)
    return tier


def table_of(cache: MultiTierAudioCache) -> Table:
    """The cache's table, as an archive needs it."""
    return Table(alias_of(cache), tier_of(cache).clips)


def show_progress(err: Output, seen: int, total: int, what: str) -> None:
    """A line that is written over, where somebody looks."""
    if err.stream.isatty():
        err.stream.write(f"\r{seen:,} of {total:,} {what}", ending="")
        if seen >= total:
            err.line()
