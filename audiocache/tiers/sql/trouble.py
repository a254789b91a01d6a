"""What an error of the database means for the cache, in words that quote no value (law 11).

A driver's message may hold the very text that it could not read. So what is told is the
kind of the error, the database's code for it, and a phrase that is known to be harmless.
"""

from __future__ import annotations

from typing import Final

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)

from audiocache.exceptions import TierBusy, TierError, TierUnavailable, Unwritable

OF_A_VALUE: Final = (OverflowError, UnicodeError, DataError, IntegrityError)
"""The driver or the database refuses what it was given; the next entry may be welcome."""
CAUGHT: Final = (DatabaseError, InterfaceError, OSError, OverflowError, UnicodeError)

PHRASES: Final = (
    "database is locked", "table is locked", "no such table", "no such column",
    "unable to open database file", "disk i/o error", "file is not a database",
    "disk image is malformed", "readonly database", "database or disk is full",
    "connection refused", "connection timeout", "timeout expired", "closed the connection",
    "connection is closed", "connection is lost", "connection reset", "no such file or directory",
    "permission denied", "too many clients", "authentication failed", "name or service not known",
    "starting up", "shutting down", "terminating connection", "lock timeout", "statement timeout",
    "does not exist",
)  # fmt: skip

_LIMIT_CLASS: Final = "54"
"""PostgreSQL's program_limit_exceeded: a value is too long for an index."""
_FULL: Final = {"53100", "SQLITE_FULL"}
"""There is no room, for this entry at least. What is there can be read."""
_READ_ONLY: Final = {"25006", "SQLITE_READONLY"}
"""As after a fail-over, or on a disk with errors. What is there can be read."""
_LOCKED: Final = {"55P03", "40P01", "40001"}
"""A lock was not to be had in time; a deadlock; a write that came second."""
_NO_SCHEMA: Final = {"42P01", "42703"}
"""PostgreSQL says with a ProgrammingError that a table or column is missing."""
_NOT_PREPARED: Final = {"26000", "42P05"}
_NO_DATABASE: Final = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


def trouble_of(error: Exception, *, reading: bool = False) -> TierError:
    """The error as the tier's. A lock that stops `reading` is on the table: an outage."""
    if is_of_a_value(error):
        # What there is no room for now may be written later.
        later = reading or is_undecodable(error) or _code(error) in _FULL
        return (TierError if later else Unwritable)(_told(error))
    if _is_locked(error) and not (reading and _code(error) in _LOCKED):
        return TierBusy(_told(error))
    outage = _is_outage(error) and (reading or _code(error) not in _READ_ONLY)
    return TierUnavailable(_told(error)) if outage else TierError(_told(error))


def is_of_a_value(error: Exception) -> bool:
    """Does it concern one entry alone? Then the connection is as good as before."""
    code = _code(error)
    by_code = code[:2] == _LIMIT_CLASS or code in _FULL
    return by_code or isinstance(error, OF_A_VALUE) or is_undecodable(error)


def is_undecodable(error: Exception) -> bool:
    """Does SQLite's driver say that a text is no UTF-8? It quotes that text."""
    return str(error).startswith("Could not decode to UTF-8")


def is_locked_file(error: Exception) -> bool:
    """Was SQLite's lock not to be had in time? The connection is as good as before."""
    return _code(error).startswith("SQLITE_BUSY")


def is_unprepared(error: Exception) -> bool:
    """Does PostgreSQL not know the statement that was prepared in this session, or another one?"""
    return _code(error) in _NOT_PREPARED


def _is_locked(error: Exception) -> bool:
    return isinstance(error, OperationalError) and (
        _code(error) in _LOCKED or "is locked" in _phrase(error)
    )


def _is_outage(error: Exception) -> bool:
    if isinstance(error, OperationalError | InterfaceError | OSError):
        return True
    if isinstance(error, ProgrammingError):
        return _code(error) in _NO_SCHEMA
    return _code(error) in _NO_DATABASE


def _code(error: Exception) -> str:
    """psycopg's, psycopg2's or SQLite's; empty where there was no answer to have one."""
    cause = error.__cause__ or error
    codes = (getattr(cause, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname"))
    return next((str(code) for code in codes if code), "")


def _phrase(error: Exception) -> str:
    message = str(error).lower()
    return next((phrase for phrase in PHRASES if phrase in message), "")


def _told(error: Exception) -> str:
    words = (type(error).__name__, _code(error), "" if is_undecodable(error) else _phrase(error))
    return " ".join(filter(None, words))
