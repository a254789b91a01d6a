"""SQLite: one writer at a time, so that nothing needs to be locked by row."""

from __future__ import annotations

from audiocache.tiers.sql.base import Dialect


class SQLite(Dialect):
    """The shared statements with SQLite's placeholder."""

    mark = "?"
    # A column takes any value there, and any text is greater than any number.
    intact = "".join(
        f" AND typeof({name}) = 'integer'" for name in ("created", "expires", "keep_until")
    )
