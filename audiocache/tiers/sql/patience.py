"""How long a writer of SQLite waits for another one: once, not with each statement of a verb.

A removal has several statements, and a file that another process holds would cost each of them
the whole time-out. So who waited in vain lets the process know: for a while, all of its
threads only look whether the lock is to be had, until one of them gets it.
"""

from __future__ import annotations

import time
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from audiocache.pulse import pulse

LOOK_MS: Final = 25
"""SQLite asks five times within."""
LOOK_SECONDS: Final = 1.0
"""For so long after a wait in vain; then somebody waits again."""
PULSE_WAIT_MS: Final = 500
"""For a writer's turn, on the pulse: leases and waiting callers are behind."""

_vain: Final[dict[str, float]] = {}
"""When somebody waited in vain, by alias."""
_BOUNDED: Final = "audiocache_bounded"


def waited_in_vain(alias: str) -> None:
    """Another process holds the file; those who then look in vain do not prolong this."""
    if not _lately(alias):
        _vain[alias] = time.monotonic()


def wrote(alias: str) -> None:
    """The lock was to be had: whoever comes next waits for it as always."""
    _vain.pop(alias, None)


def open_(connection: BaseDatabaseWrapper) -> None:
    """Open it: what SQLite's first statements wait for is a lock of the file, too."""
    usual = connection.settings_dict
    if connection.vendor == "sqlite" and _lately(connection.alias):
        short = {**usual["OPTIONS"], "timeout": LOOK_MS / 1000}
        connection.settings_dict = {**usual, "OPTIONS": short}
    try:
        connection.ensure_connection()
        if connection.settings_dict is not usual:
            vars(connection)[_BOUNDED] = connection.connection, LOOK_MS
    finally:
        connection.settings_dict = usual


def bound(connection: BaseDatabaseWrapper) -> None:
    """Have an open connection of SQLite's wait no longer than is due now; cheap."""
    raw = connection.connection
    at_most = LOOK_MS if _lately(connection.alias) else _at_most_here()
    known, bounded = vars(connection).get(_BOUNDED, (None, None))
    if (at_most, raw) == (bounded, known) or (at_most is None and raw is not known):
        return
    ms = _usual(connection) if at_most is None else min(at_most, _usual(connection))
    raw.execute(f"PRAGMA busy_timeout={ms}")
    vars(connection)[_BOUNDED] = raw, at_most


def _at_most_here() -> int | None:
    return PULSE_WAIT_MS if pulse.is_here() else None


def _lately(alias: str) -> bool:
    return bool(_vain) and time.monotonic() - _vain.get(alias, 0.0) < LOOK_SECONDS


def _usual(connection: BaseDatabaseWrapper) -> int:
    seconds = connection.settings_dict["OPTIONS"].get("timeout", 5.0)
    return int(float(seconds) * 1000)
