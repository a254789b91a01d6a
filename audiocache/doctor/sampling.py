"""Rows of the table: some from all over it, or, where it may take its time, all in batches."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from audiocache.doctor.case import Case

SAMPLE: Final = 20
"""Entries that are looked at where it is not all."""
BATCH: Final = 50
"""Rows held at once."""


def looked_at(case: Case, sql: str) -> Iterator[Any]:
    """What `sql` selects: rows that begin with their id, of ids above a value, so many at most."""
    if not case.deep:
        yield from _sample(case, sql)
        return
    last = 0
    while found := case.sight.rows(sql, [last, BATCH]):
        yield from found
        last = found[-1][0]


def _sample(case: Case, sql: str) -> Iterator[Any]:
    """From all over the table, each once."""
    last = case.sight.value("SELECT MAX(id) FROM audiocache_entry") or 0
    first = case.sight.value("SELECT MIN(id) FROM audiocache_entry") or 0
    places = range(first, last + 1) if last else range(0)
    found: dict[int, Any] = {}
    for place in random.sample(places, min(SAMPLE, len(places))):
        found |= {row[0]: row for row in case.sight.rows(sql, [place - 1, 1])}
    yield from found.values()
