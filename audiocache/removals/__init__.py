"""The removal log: what was removed stays removed, here and everywhere (law 10).

`values` says what a removal is and how it is written down, `notes` what this process knows of
late, `log` what the two kinds of logs can do: a ledger in each database, a stream in Redis.
"""

from audiocache.removals.log import Cursor, Guard, Ledger, News, Origin, Reading, Stream
from audiocache.removals.notes import Removals
from audiocache.removals.values import ALL, KEY, SKEW_MS, TAGS, TEXT, Removal, Row

__all__ = [
    "ALL",
    "KEY",
    "SKEW_MS",
    "TAGS",
    "TEXT",
    "Cursor",
    "Guard",
    "Ledger",
    "News",
    "Origin",
    "Reading",
    "Removal",
    "Removals",
    "Row",
    "Stream",
]
