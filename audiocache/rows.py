"""An entry as a row of `audiocache_entry`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from xxhash import xxh3_64_intdigest

from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema

SCHEMA_VERSION: Final = 1
"""Of a row: a row of a later version is left alone."""

LABELS: Final = ("provider", "model", "voice", "language")
"""Parameters of the variant that have a column, for people who look."""

_STORED = AudioEntry._fields[: AudioEntry._fields.index("tier")]
READ: Final[tuple[str, ...]] = (*_STORED, "schema_version", "checksum")
"""Columns of a look-up."""
WRITTEN: Final[tuple[str, ...]] = (*READ, *LABELS, "size", "used")
"""Columns of a put; hits, pins and the revision stay with the row."""

_TAGS, _AUDIO = _STORED.index("tags"), _STORED.index("audio")
_SCHEMA, _CHECKSUM = READ.index("schema_version"), READ.index("checksum")


def entry_in(row: Sequence[Any], tier: str) -> AudioEntry:
    """The entry in a row of READ. Raises CorruptEntry or NewerSchema."""
    if row[_SCHEMA] > SCHEMA_VERSION or row[_AUDIO] is None:
        raise NewerSchema(f"row schema {row[_SCHEMA]}, audio elsewhere: {row[_AUDIO] is None}")
    # SQLite lets any value into any column.
    audio = bytes(row[_AUDIO]) if isinstance(row[_AUDIO], bytes | memoryview) else b""
    if checksum(audio) != row[_CHECKSUM]:
        raise CorruptEntry("the audio fails its checksum")
    return AudioEntry._make((*row[:_TAGS], _tags_in(row[_TAGS]), audio, tier, False, False))


def _tags_in(value: Any) -> tuple[str, ...]:
    try:
        tags = json.loads(value) if value else []
    except (TypeError, ValueError):
        tags = None
    if not isinstance(tags, list):
        raise CorruptEntry("the tags are no list in JSON")
    return tuple(tags)


def values_of(entry: AudioEntry, now: int) -> Iterator[Any]:
    """The values of WRITTEN; the entry is last used `now`."""
    yield from entry[:_TAGS]
    yield json.dumps(entry.tags) if entry.tags else ""
    yield entry.audio
    yield SCHEMA_VERSION
    yield checksum(entry.audio)
    yield from labels_in(entry.variant)
    yield len(entry.audio)
    yield now


def labels_in(variant: str) -> Iterator[str]:
    """The values of LABELS in a canonical variant."""
    values = json.loads(variant) if variant else {}
    for name in LABELS:
        value = values.get(name, "")
        text = value if isinstance(value, str) else json.dumps(value)
        # PostgreSQL has no NUL in text.
        yield text.replace("\x00", "")


def checksum(audio: bytes) -> int:
    """xxh3_64 as the signed integer that both databases keep."""
    unsigned = xxh3_64_intdigest(audio)
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned
