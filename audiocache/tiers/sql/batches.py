"""Much in portions: a statement has so many rows and bytes, so that others get their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from audiocache.entries import AudioEntry

BATCH: Final = 100
"""Rows in one statement."""
BATCH_BYTES: Final = 8 * 2**20
"""Bytes of audio in one statement, unless a single entry has more."""


def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of at most BATCH."""
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def batches_of(entries: Iterable[AudioEntry]) -> Iterator[list[AudioEntry]]:
    """Lists of at most BATCH entries and BATCH_BYTES."""
    batch: list[AudioEntry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == BATCH or size + entry.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def flat(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The values of rows, one after the other."""
    return [value for row in rows for value in row]
