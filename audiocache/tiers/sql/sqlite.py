"""SQLite: one writer at a time, so that nothing needs to be locked by row."""

from __future__ import annotations

from audiocache.tiers.sql.base import Dialect


class SQLite(Dialect):
    """The shared statements with SQLite's placeholder."""

    mark = "?"
