"""The Range header of RFC 9110 for one range of bytes, as a pure function.

Chromium asks for `bytes=0-` first, and Safari plays nothing without 206. Several ranges,
other units and what is malformed are ignored, as the RFC says: the whole is sent.
"""

from __future__ import annotations

import re
from typing import Final

# ASCII only: int() would take other digits, signs and underscores, too.
_ONE_RANGE: Final = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")


class NotSatisfiable(Exception):
    """The range begins behind the end: status 416."""


def one_range(header: str, size: int) -> tuple[int, int] | None:
    """Begin and end (exclusive) of the part that is asked for; None: the whole.

    Raises NotSatisfiable.
    """
    if (match := _ONE_RANGE.fullmatch(header.strip())) is None:
        return None
    first, last, suffix = match.groups()
    begin, end = _from_end(int(suffix), size) if suffix else (int(first), _end(last, size))
    if not suffix and last and int(last) < int(first):
        return None
    if begin >= size or begin >= end:
        raise NotSatisfiable
    return begin, end


def _from_end(length: int, size: int) -> tuple[int, int]:
    return max(0, size - length), size if length else 0


def _end(last: str, size: int) -> int:
    return min(int(last) + 1, size) if last else size
