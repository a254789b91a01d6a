"""The Range header of RFC 9110, section 14, for one range of bytes, as a pure function.

Chromium asks for `bytes=0-` first, and Safari plays nothing without 206. Several ranges,
other units and what is malformed are ignored, as the RFC allows: the whole is sent.
"""

from __future__ import annotations

import re
from typing import Final

# ASCII only, and not too many: int() would take other digits, signs and underscores, too, and
# raises where they are thousands.
_RANGE: Final = re.compile(r"([0-9]{1,1000})-([0-9]{0,1000})|-([0-9]{1,1000})")
_UNIT: Final = "bytes="


class NotSatisfiable(Exception):
    """The range begins behind the end: status 416."""


def one_range(header: str, size: int) -> tuple[int, int] | None:
    """Begin and end (exclusive) of the part that is asked for; None: the whole.

    Raises NotSatisfiable.
    """
    if (match := _RANGE.fullmatch(_only_spec(header))) is None:
        return None
    first, last, suffix = match.groups()
    if last and int(last) < int(first):
        return None
    begin, end = _from_end(int(suffix), size) if suffix else (int(first), _end(last, size))
    if begin >= end:
        raise NotSatisfiable
    return begin, end


def _only_spec(header: str) -> str:
    """The one range of a set of bytes, without the list's empty places; else empty."""
    if header[: len(_UNIT)].lower() != _UNIT:  # units have no case
        return ""
    specs = [spec for part in header[len(_UNIT) :].split(",") if (spec := part.strip(" \t"))]
    return specs[0] if len(specs) == 1 else ""


def _from_end(length: int, size: int) -> tuple[int, int]:
    return max(0, size - length), size if length else 0


def _end(last: str, size: int) -> int:
    return min(int(last) + 1, size) if last else size
