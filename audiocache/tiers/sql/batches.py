"""Much in portions: a statement has so many rows and bytes, so that others get their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

from audiocache.entries import AudioEntry

T = TypeVar("T")

BATCH: Final = 100
"""Rows in one statement."""
BATCH_BYTES: Final = 8 * 2**20
"""Bytes of audio in one statement, unless a single entry has more."""


def batches(items: Iterable[T], number: int = BATCH) -> Iterator[list[T]]:
    """Lists of at most so many."""
    iterator = iter(items)
    while batch := list(islice(iterator, number)):
        yield batch


def batches_of(entries: Iterable[AudioEntry]) -> Iterator[list[AudioEntry]]:
    """Lists of at most BATCH entries and BATCH_BYTES."""
    return portions(entries, lambda entry: entry.size)


def portions(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Lists of at most BATCH items and BATCH_BYTES, or of one item."""
    batch: list[T] = []
    size = 0
    for item in items:
        if batch and (len(batch) == BATCH or size + size_of(item) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += size_of(item)
    if batch:
        yield batch


def flat(rows: Iterable[Iterable[Any]]) -> list[Any]:
    """The values of rows, one after the other."""
    return [value for row in rows for value in row]
