"""PostgreSQL: writers side by side, each holding the rows that it changes."""

from __future__ import annotations

from audiocache.tiers.sql.base import Dialect


class PostgreSQL(Dialect):
    """Row locks where two processes may delete the same rows."""

    greatest = "GREATEST"
    least = "LEAST"
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    lock_rows = " FOR UPDATE"
    lock_free_rows = " FOR UPDATE SKIP LOCKED"
