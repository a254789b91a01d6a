"""What may stand in the fields of a recording; who hands over anything else is told which."""

from __future__ import annotations

from typing import Final

LARGEST: Final = 2**63 - 1
"""The largest integer of both databases."""


def as_audio(audio: object) -> bytes:
    """The audio as immutable bytes. Raises TypeError when it is not bytes-like."""
    if isinstance(audio, bytes):
        return audio
    if isinstance(audio, bytearray | memoryview):
        return bytes(audio)
    raise TypeError(f"audio must be bytes, bytearray or memoryview, not {type(audio).__name__}")


def as_content_type(content_type: object) -> str | None:
    """A content type as it may stand in a header. Raises TypeError or ValueError."""
    if content_type is None:
        return None
    if not isinstance(content_type, str):
        raise TypeError(f"content_type must be str, not {type(content_type).__name__}")
    if not 1 <= len(content_type) <= 200 or not (
        content_type.isascii() and content_type.isprintable()
    ):
        raise ValueError("content_type must have 1 to 200 printable ASCII characters")
    return content_type


def as_amount(name: str, amount: object) -> int | None:
    """A whole number that a database column holds. Raises TypeError or ValueError."""
    if amount is not None and (isinstance(amount, bool) or not isinstance(amount, int)):
        raise TypeError(f"{name} must be an int or None, not {type(amount).__name__}")
    if amount is not None and not 0 <= amount <= LARGEST:
        raise ValueError(f"{name} must be from 0 to {LARGEST}")
    return amount


def as_text(name: str, value: object) -> str:
    """A text. Raises TypeError that names the field."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    return value


def as_tags(tags: object) -> tuple[str, ...]:
    """Distinct tags in order. Raises TypeError or ValueError that names the field."""
    if isinstance(tags, str) or not isinstance(tags, list | tuple | set | frozenset):
        raise TypeError("tags must be a list, tuple or set of str")
    for tag in tags:
        if not isinstance(tag, str):
            raise TypeError(f"tags must be str, not {type(tag).__name__}")
        if not 1 <= len(tag) <= 200 or any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in tag):
            raise ValueError("tags must have 1 to 200 characters, no NUL and no lone surrogate")
    return tuple(sorted(set(tags)))
