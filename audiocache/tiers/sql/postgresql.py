"""PostgreSQL: writers side by side, each holding the rows that it changes."""

from __future__ import annotations

from typing import Final

from audiocache.tiers.sql.base import Dialect

REMOVALS: Final = 0x61756469_6F726D76
"""The advisory lock on the removal log: "audiormv"."""


class PostgreSQL(Dialect):
    """Row locks where two processes may delete the same rows."""

    greatest = "GREATEST"
    least = "LEAST"
    now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    lock_rows = " FOR UPDATE"
    lock_free_rows = " FOR UPDATE SKIP LOCKED"
    # Of a transaction, so that they work behind a pooler. Who holds rows comes to wait here, and
    # who holds one of these waits for no row: so none can deadlock.
    own_slot = (
        "INSERT INTO audiocache_total AS total (slot, entries, bytes)"
        " VALUES (mod(pg_backend_pid(), 16), 0, 0)"
        " ON CONFLICT (slot) DO UPDATE SET entries = total.entries RETURNING slot"
    )
    one_writer = f"SELECT pg_advisory_xact_lock({REMOVALS})"
    no_writer = f"SELECT pg_advisory_xact_lock_shared({REMOVALS})"
