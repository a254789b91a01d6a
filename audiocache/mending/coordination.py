"""Mending what processes share beside entries."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from django.db import connections

from audiocache.clock import now_ms
from audiocache.doctor.coordination import LONGEST_MS, STUCK, lease_file
from audiocache.finding import ready

_LEASES: Final = f"DELETE FROM audiocache_lease WHERE {STUCK}"  # noqa: S608 - fixed words
# Up to the last gap: who has read no further sees that the log does not reach back to him, and
# forgets what he holds.
_REMOVALS: Final = """
    DELETE FROM audiocache_removal WHERE id <= (
        SELECT MAX(here.id) FROM audiocache_removal AS here
        WHERE here.id < (SELECT MAX(id) FROM audiocache_removal) AND NOT EXISTS (
            SELECT 1 FROM audiocache_removal AS further WHERE further.id = here.id + 1))
"""


def leases() -> int:
    """Take those that end in the far future."""
    connection, until = connections[ready()], now_ms() + LONGEST_MS
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(_LEASES.replace("?", "%s"), [until])
            return int(cursor.rowcount)
    path = lease_file(Path(str(connection.settings_dict["NAME"])))
    with closing(sqlite3.connect(path)) as file, file:
        return file.execute(_LEASES, [until]).rowcount


def removals() -> int:
    """Cut the log behind its last gap."""
    with connections[ready()].cursor() as cursor:
        cursor.execute(_REMOVALS)
        return int(cursor.rowcount)
