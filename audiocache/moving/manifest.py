"""A line of the manifest: an entry without its sound, as JSON with a checksum of its own."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any, Final, NamedTuple

from xxhash import xxh3_64_hexdigest

from audiocache.canonical import canonical
from audiocache.clock import DAY_MS
from audiocache.conf import PERSISTENT
from audiocache.content_types import extension
from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry
from audiocache.fields import as_amount, as_content_type, as_tags
from audiocache.keys import clip_key, clip_of, text_digest
from audiocache.rows import READ, SCHEMA_VERSION, checksum, entry_in
from audiocache.textless import MARK

VERSION: Final = 1
KIND: Final = "audiocache"
ARCHIVE: Final = "archive"

_ENTRY: Final = tuple(name for name in READ if name not in ("audio", "schema_version", "checksum"))
_STANDING: Final = ("pinned", "hits", "used")
_SOUND: Final = ("file", "size", "sha256")
FIELDS: Final = frozenset((*_ENTRY, *_STANDING, *_SOUND))
_HEX: Final = re.compile(r"[0-9a-f]{64}")
AHEAD_MS: Final = DAY_MS
"""A clip is not stored later than this from now: clocks differ, and lives must not be made up."""


class Refused(Exception):
    """A line or its sound is not what it says; tells why, and quotes nothing of it."""


class Standing(NamedTuple):
    """What a row has beside its entry."""

    pinned: bool
    hits: int
    used: int


class Record(NamedTuple):
    """A line that is what it says."""

    values: dict[str, Any]

    @property
    def key(self) -> str:
        """Of the entry."""
        return str(self.values["key"])

    @property
    def standing(self) -> Standing:
        """Pin, hits and last use."""
        return Standing(*(self.values[name] for name in _STANDING))

    def entry(self, audio: bytes, *, store_text: bool) -> AudioEntry:
        """With its sound. Raises Refused when that is another one."""
        if sha256(audio).hexdigest() != self.values["sha256"]:
            raise Refused("the sound fails its checksum")
        values = self.values | {
            "audio": audio, "checksum": checksum(audio), "schema_version": SCHEMA_VERSION,
            "tags": json.dumps(self.values["tags"]),
            "text": self.values["text"] if store_text else None,
        }  # fmt: skip
        try:
            return entry_in([values[name] for name in READ], PERSISTENT)
        except CorruptEntry as error:
            raise Refused(str(error)) from error


def file_of(key: str, content_type: str) -> str:
    """The name of a clip in the archive."""
    return f"clips/{key[:2]}/{key}.{extension(content_type)}"


def line_of(entry: AudioEntry, standing: Standing, *, store_text: bool) -> bytes:
    """The line of an entry."""
    values = {name: getattr(entry, name) for name in _ENTRY} | standing._asdict()
    values |= {
        "text": entry.text if store_text else None,
        "tags": list(entry.tags),
        "file": file_of(entry.key, entry.content_type),
        "size": entry.size,
        "sha256": sha256(entry.audio).hexdigest(),
    }
    return sealed(values)


def head_of(entries: int, size: int, exported: str) -> bytes:
    """The first line."""
    told = {ARCHIVE: KIND, "version": VERSION, "entries": entries, "bytes": size}
    return sealed(told | {"exported": exported})


def sealed(values: dict[str, Any]) -> bytes:
    """A line with its own checksum."""
    return _json(values | {"sum": xxh3_64_hexdigest(_json(values))}) + b"\n"


def opened(line: bytes) -> dict[str, Any]:
    """The values of a line, whose every byte is as it was written. Raises Refused."""
    try:
        values = json.loads(line)
        is_whole = isinstance(values, dict) and _json(values) + b"\n" == line
    except (ValueError, RecursionError) as error:
        raise Refused("the line is no JSON") from error
    if not is_whole or values.pop("sum", "") != xxh3_64_hexdigest(_json(values)):
        raise Refused("the line fails its checksum")
    return dict(values)


def record_in(line: bytes, now: int) -> Record:
    """What a line says of an entry, checked. Raises Refused."""
    values = opened(line)
    if values.keys() != FIELDS:
        raise Refused("the line has other fields than an entry")
    try:
        _check_values(values)
        _check_names(values)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused("a field holds what does not belong there") from error
    if values["created"] > now + AHEAD_MS or values["keep_until"] < values["expires"]:
        raise Refused("its life is none")
    return Record(values)


def _check_values(values: dict[str, Any]) -> None:
    """The kinds that `rows.entry_in` does not look at, or not closely enough for a stranger's."""
    as_content_type(values["content_type"] or None)
    if list(as_tags(values["tags"])) != sorted(values["tags"]):
        raise ValueError("tags are there twice")
    for name in ("duration_ms", "cost", "billed_units"):
        as_amount(name, values[name])
    for name in ("created", "expires", "keep_until", "hits", "used", "size"):
        if as_amount(name, values[name]) is None:
            raise ValueError(name)
    if not isinstance(values["pinned"], bool):
        raise TypeError("pinned")
    clip_of("-", {}, values["namespace"])
    if "\x00" in "".join((values["variant"], values["timings"], values["text"] or "")):
        raise ValueError("NUL")


def _check_names(values: dict[str, Any]) -> None:
    """A key names its text, variant and namespace; so no line can put a sound under another's."""
    digest, variant = values["text_digest"], values["variant"]
    keys = (values["key"], digest, values["source_key"])
    if not all(isinstance(key, str) and _HEX.fullmatch(key) for key in keys):
        raise Refused("a key is none")
    if values["file"] != file_of(values["key"], values["content_type"]):
        raise Refused("its file is another's")
    # Where no text may be stored, the variant's texts are digests: the key was made of the texts.
    is_whole = MARK not in variant
    if is_whole and clip_key(digest, variant, values["namespace"]) != values["key"]:
        raise Refused("its key is another clip's")
    if values["text"] is not None and text_digest(values["text"]) != digest:
        raise Refused("its text is another one")


def _json(values: dict[str, Any]) -> bytes:
    return canonical(values).encode("utf-8", "strict")
