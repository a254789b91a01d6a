"""An entry as a row of `audiocache_entry`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any, Final

from xxhash import xxh3_64_intdigest

from audiocache.entries import LATEST, NEVER, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema

SCHEMA_VERSION: Final = 1
"""Of a row: a row of a later version is left alone."""

LABELS: Final = ("provider", "model", "voice", "language")
"""Parameters of the variant that have a column, for people who look."""

_STORED = AudioEntry._fields[: AudioEntry._fields.index("tier")]
READ: Final[tuple[str, ...]] = (*_STORED, "schema_version", "checksum")
"""Columns of a look-up."""
WRITTEN: Final[tuple[str, ...]] = (*READ, *LABELS, "size", "used", "storage_name")
"""Columns of a put; hits, pins and the revision stay with the row."""

_TAGS, AUDIO = _STORED.index("tags"), _STORED.index("audio")
_SCHEMA, _CHECKSUM = READ.index("schema_version"), READ.index("checksum")

_TEXT, _NUMBER, _SOUND = frozenset({str}), frozenset({int}), frozenset({bytes, memoryview})
_KINDS: Final = {
    **dict.fromkeys(READ, _TEXT),
    **dict.fromkeys(("created", "expires", "keep_until", "schema_version", "checksum"), _NUMBER),
    **dict.fromkeys(("duration_ms", "cost", "billed_units"), _NUMBER | {NoneType}),
    "text": _TEXT | {NoneType},
    "audio": _SOUND,
}
"""What a column may hold: SQLite lets any value into any of them."""
_VARIANT, _CREATED = READ.index("variant"), READ.index("created")
_EXPIRES, _KEEP_UNTIL = READ.index("expires"), READ.index("keep_until")

MAX_LABEL: Final = 200
"""Characters: three of them fit into PostgreSQL's index row, whatever the script."""


def entry_in(row: Sequence[Any], tier: str) -> AudioEntry:
    """The entry in a row of READ. Raises CorruptEntry or NewerSchema."""
    schema, audio = row[_SCHEMA], row[AUDIO]
    if type(schema) is int and (schema > SCHEMA_VERSION or audio is None):
        raise NewerSchema(f"row schema {schema}, audio elsewhere: {audio is None}")
    _check_kinds(*map(type, row))
    sound = audio if type(audio) is bytes else bytes(audio)
    if checksum(sound) != row[_CHECKSUM]:
        raise CorruptEntry("the audio fails its checksum")
    if not (0 <= row[_CREATED] <= LATEST and _is_end(row[_EXPIRES]) and _is_end(row[_KEEP_UNTIL])):
        raise CorruptEntry("an instant is none")
    _check_variant(row[_VARIANT])
    tags = tags_in(row[_TAGS]) if row[_TAGS] else ()
    return AudioEntry._make((*row[:_TAGS], tags, sound, tier, False, False, False, False))


@lru_cache(maxsize=128)
def _check_kinds(*kinds: type) -> None:
    """Of the columns of READ, once for each combination. Raises CorruptEntry, without a value."""
    for name, kind in zip(READ, kinds, strict=True):
        if kind not in _KINDS[name]:
            raise CorruptEntry(f"{name} holds another kind of value")


def _is_end(value: int) -> bool:
    return 0 <= value <= LATEST or value == NEVER


def _parameters_in(variant: str) -> dict[str, Any]:
    """The parameters of a canonical variant. Raises CorruptEntry."""
    try:
        parameters = json.loads(variant) if variant else {}
    except (ValueError, RecursionError):
        parameters = None
    if not isinstance(parameters, dict):
        raise CorruptEntry("the variant is no object in JSON")
    return parameters


@lru_cache(maxsize=128)
def _check_variant(variant: str) -> None:
    """Most rows have one of a few: it is parsed once. An error is not remembered."""
    _parameters_in(variant)


def tags_in(value: str) -> tuple[str, ...]:
    """Of a column. Raises CorruptEntry."""
    try:
        tags = json.loads(value)
        "".join(tags).encode()
    except (TypeError, ValueError, RecursionError):  # a lone surrogate's error is one of these
        tags = None
    if not isinstance(tags, list):
        raise CorruptEntry("the tags are no list of texts in JSON")
    return tuple(tags)


def values_of(entry: AudioEntry, now: int, storage_name: str = "") -> Iterator[Any]:
    """The values of WRITTEN; the entry is last used `now`, a spare one never.

    Its sound may lie in a storage.
    """
    yield from entry[:_TAGS]
    yield json.dumps(entry.tags) if entry.tags else ""
    yield None if storage_name else entry.audio
    yield SCHEMA_VERSION
    yield checksum(entry.audio)
    yield from labels_in(entry.variant)
    yield len(entry.audio)
    yield 0 if entry.spare else now
    yield storage_name


def labels_in(variant: str) -> Iterator[str]:
    """The values of LABELS in a canonical variant, shortened. Raises CorruptEntry."""
    values = _parameters_in(variant)
    for name in LABELS:
        value = values.get(name, "")
        text = value if isinstance(value, str) else json.dumps(value)
        # PostgreSQL has no NUL in text.
        yield text.replace("\x00", "")[:MAX_LABEL]


def checksum(audio: bytes) -> int:
    """xxh3_64 as the signed integer that both databases keep."""
    unsigned = xxh3_64_intdigest(audio)
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned
