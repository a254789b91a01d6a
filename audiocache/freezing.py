"""Any value, held so that nobody's later change reaches it. What cannot change stays as it is."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, Final, NamedTuple
from uuid import UUID

from audiocache.entries import AudioEntry

SCALARS: Final = frozenset(
    {str, int, float, complex, bool, NoneType, Decimal, UUID, date, timedelta}
)
"""Immutable types, besides bytes; subclasses may not be."""

GROUPS: Final = frozenset({tuple, frozenset, AudioEntry})
"""Immutable types, where their members are."""

NONE: Final = object()
"""Held for None, which a store answers for a miss."""


class Pickled(NamedTuple):
    """A value that its owner could change later, as it was when it came."""

    data: bytes


def freeze(value: object) -> tuple[object, int]:
    """What to hold for a value, and its size in bytes."""
    if value is None:
        return NONE, 0
    size = immutable_size(value)
    if size is not None:
        return value, size
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return Pickled(data), len(data)


def thaw(held: object) -> Any:
    """The value that is held."""
    if type(held) is Pickled:
        return pickle.loads(held.data)  # noqa: S301 - never left this process
    return None if held is NONE else held


def immutable_size(value: object) -> int | None:
    """Bytes of a value that nobody can change; None when it may be changed."""
    kind = type(value)
    if kind is bytes and isinstance(value, bytes):
        return len(value)
    if kind in SCALARS:
        return sys.getsizeof(value)
    if kind in GROUPS and isinstance(value, Iterable):
        return _group_size(value)
    return None


def _group_size(members: Iterable[object]) -> int | None:
    size = 0
    for member in members:
        member_size = immutable_size(member)
        if member_size is None:
            return None
        size += member_size
    return size
