"""An entry as a row of `audiocache_entry`, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
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
WRITTEN: Final[tuple[str, ...]] = (*READ, *LABELS, "size", "used")
"""Columns of a put; hits, pins and the revision stay with the row."""

_TAGS, _AUDIO = _STORED.index("tags"), _STORED.index("audio")
_SCHEMA, _CHECKSUM = READ.index("schema_version"), READ.index("checksum")

_TEXTS: Final = itemgetter(
    *map(
        READ.index,
        ("key", "namespace", "text_digest", "variant", "content_type", "source_key",
         "transcoded_from", "timings"),
    )
)  # fmt: skip
_TEXT, _VARIANT = READ.index("text"), READ.index("variant")
_CREATED = READ.index("created")
_ENDS: Final = itemgetter(READ.index("expires"), READ.index("keep_until"))
_AMOUNTS: Final = itemgetter(*map(READ.index, ("duration_ms", "cost", "billed_units")))

MAX_LABEL: Final = 200
"""Characters: three of them fit into PostgreSQL's index row, whatever the script."""


def entry_in(row: Sequence[Any], tier: str) -> AudioEntry:
    """The entry in a row of READ. Raises CorruptEntry or NewerSchema."""
    if type(row[_SCHEMA]) is not int:
        raise CorruptEntry("the schema is no number")
    if row[_SCHEMA] > SCHEMA_VERSION or row[_AUDIO] is None:
        raise NewerSchema(f"row schema {row[_SCHEMA]}, audio elsewhere: {row[_AUDIO] is None}")
    # SQLite lets any value into any column.
    audio = bytes(row[_AUDIO]) if isinstance(row[_AUDIO], bytes | memoryview) else b""
    if checksum(audio) != row[_CHECKSUM]:
        raise CorruptEntry("the audio fails its checksum")
    _check_kinds(row)
    found = (*row[:_TAGS], _tags_in(row[_TAGS]), audio, tier, False, False, False)
    return AudioEntry._make(found)


def _check_kinds(row: Sequence[Any]) -> None:
    """Each column holds what belongs there. Raises CorruptEntry, without the value."""
    if not _are_texts((*_TEXTS(row), "" if row[_TEXT] is None else row[_TEXT])):
        raise CorruptEntry("a text is none")
    if not _is_instant(row[_CREATED]) or not all(map(_is_end, _ENDS(row))):
        raise CorruptEntry("an instant is none")
    if not all(amount is None or type(amount) is int for amount in _AMOUNTS(row)):
        raise CorruptEntry("an amount is no number")
    _check_variant(row[_VARIANT])


def _are_texts(values: Iterable[Any]) -> bool:
    try:
        together = "".join(values)
        return together.isascii() or bool(together.encode())
    except (TypeError, UnicodeEncodeError):  # surrogates stand for bytes that were no UTF-8
        return False


def _is_instant(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LATEST


def _is_end(value: Any) -> bool:
    return _is_instant(value) or value == NEVER


def _parameters_in(variant: str) -> dict[str, Any]:
    """The parameters of a canonical variant. Raises CorruptEntry."""
    try:
        parameters = json.loads(variant) if variant else {}
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise CorruptEntry("the variant is no object in JSON")
    return parameters


@lru_cache(maxsize=128)
def _check_variant(variant: str) -> None:
    """Most rows have one of a few: it is parsed once. An error is not remembered."""
    _parameters_in(variant)


def _tags_in(value: Any) -> tuple[str, ...]:
    try:
        tags = json.loads(value) if value else []
    except (TypeError, ValueError):
        tags = None
    if not isinstance(tags, list) or not _are_texts(tags):
        raise CorruptEntry("the tags are no list of texts in JSON")
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
