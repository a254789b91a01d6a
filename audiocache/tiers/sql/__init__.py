"""What a request asks of the table, as fixed SQL: one file per dialect."""

from __future__ import annotations

from functools import cache

from django.db import NotSupportedError

from audiocache.tiers.sql.base import Dialect
from audiocache.tiers.sql.postgresql import PostgreSQL
from audiocache.tiers.sql.sqlite import SQLite

_DIALECTS: dict[str, type[Dialect]] = {"sqlite": SQLite, "postgresql": PostgreSQL}


@cache
def dialect_for(vendor: str) -> Dialect:
    """The dialect of a Django database vendor. Raises NotSupportedError."""
    if vendor not in _DIALECTS:
        raise NotSupportedError(f"the cache works on SQLite and PostgreSQL, not on {vendor}")
    return _DIALECTS[vendor]()
