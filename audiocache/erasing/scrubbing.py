"""Rewriting the cache's tables, so that nothing of deleted rows is left in their files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from django.db import DatabaseError, connections

from audiocache import own_file
from audiocache.database import in_memory
from audiocache.exceptions import AudioCacheError, TierError
from audiocache.finding import ready
from audiocache.tiers.sql.connection import OwnConnection

SAID: Final = (
    ("audiocache_entry", "text"),
    ("audiocache_tag", "tag"),
    ("audiocache_refused", "text"),
)
"""The tables that hold sounds, texts and tags, and a column of each that is text."""
ROOM: Final = 2
"""SQLite writes all anew before it gives up the old pages: so many times the file's size."""


class CannotScrub(AudioCacheError):
    """What deleted rows left stays where it is for now; says why."""


def scrub() -> None:
    """Rewrite the process's tables. Raises CannotScrub.

    SQLite: readers go on meanwhile, writers wait. PostgreSQL: nobody uses the tables meanwhile.
    """
    alias = ready()
    if connections[alias].in_atomic_block:
        raise CannotScrub("a transaction is open on the cache's connection")
    try:
        _of_sqlite(alias) if connections[alias].vendor == "sqlite" else _of_postgresql(alias)
    except (TierError, DatabaseError) as error:
        raise CannotScrub(str(error).partition("\n")[0]) from error


def can_rewrite_at_once() -> bool:
    """May a removal rewrite the tables by itself? PostgreSQL locks readers out meanwhile."""
    return connections[ready()].vendor == "sqlite"


def _of_sqlite(alias: str) -> None:
    connection, database = connections[alias], OwnConnection(alias)
    path = Path(str(connection.settings_dict["NAME"]))
    if not in_memory(str(path)):
        _look_for_room(path)
    with own_file.patient(connection):
        database.run("VACUUM")
        # What the log of SQLite has is as readable as the file.
        [(busy, *_)] = database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        raise CannotScrub("another process reads, so SQLite's log could not be emptied")


def _look_for_room(path: Path) -> None:
    needed, free = ROOM * path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < needed:
        raise CannotScrub(
            f"rewriting needs {needed:,} bytes of free disk space, and there are {free:,}"
        )


def _of_postgresql(alias: str) -> None:
    """Write each table anew with the rows that are there, and its indexes.

    VACUUM FULL would keep deleted rows that a transaction elsewhere may still look at, be it in
    another database of the server; a column that is computed anew makes PostgreSQL copy nothing
    but rows that live. What was sampled of that column for the planner is forgotten with it.
    """
    with connections[alias].cursor() as cursor:
        for table, column in SAID:
            cursor.execute(f"ALTER TABLE {table} ALTER {column} TYPE text USING {column} || ''")
