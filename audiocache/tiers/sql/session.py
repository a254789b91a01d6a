"""Is what a connection of PostgreSQL leaves in its session there the next time?

Directly, yes; behind a pooler in transaction mode the session is another's by then. A server
tells who logs in which process serves him, to cancel by; a pooler tells a number of its own.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

_KNOWN: Final = "audiocache_session"


def is_kept(connection: BaseDatabaseWrapper) -> bool:
    """Asked once for each connection, of psycopg alone. Raises the driver's errors."""
    raw = connection.connection
    known, kept = vars(connection).get(_KNOWN, (None, False))
    if known is not raw:
        kept = hasattr(raw, "pgconn") and _is_direct(raw)
        vars(connection)[_KNOWN] = raw, kept
    return bool(kept)


def distrust(connection: BaseDatabaseWrapper, raw: Any) -> None:
    """What was left there was not found again."""
    vars(connection)[_KNOWN] = raw, False


def _is_direct(raw: Any) -> bool:
    [served_by] = raw.execute("SELECT pg_backend_pid()").fetchone()
    return bool(served_by == raw.info.backend_pid)
