"""An entry as one value in Redis: a versioned, checksummed envelope. Never pickle.

    magic 2 | version 1 | flags 1 | checksum 8 | key 32 | generation 8
    created 8 | expires 8 | keep_until 8 | length of details 4 | details (JSON) | audio

The checksum (xxh3_64) covers everything behind it, and by its seed what stands before it.
Anything odd is `CorruptEntry`; a later version is `NewerSchema`, to be left alone.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

from audiocache.entries import ORIGIN, AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema

MAGIC: Final = b"\xacA"
VERSION: Final = 1
_START: Final = struct.Struct(">2sBBQ")
FIRST: Final = struct.pack(">2sBB", MAGIC, VERSION, 0)
_SEED: Final = int.from_bytes(FIRST)
_BODY: Final = struct.Struct(">32sQQQQI")
HEADER_BYTES: Final = _START.size + _BODY.size

# Where fields of the header lie, for the scripts that read it on the server.
KEY_AT: Final = _START.size
CREATED_AT: Final = KEY_AT + 32 + 8
EXPIRES_AT: Final = CREATED_AT + 8

_parse: Final = json.JSONDecoder().decode
_DETAILS: Final = (
    "namespace", "text_digest", "text", "variant", "content_type", "source_key",
    "transcoded_from", "duration_ms", "cost", "billed_units", "timings", "tags",
)  # fmt: skip


GROUPS: Final = "groups"
"""First of the details: what the indices of its groups are called, for scripts. A reader needs
them not; they follow from the rest.
"""


class Header(NamedTuple):
    """What the first bytes of an envelope say."""

    key: str
    generation: int
    created: int
    expires: int
    keep_until: int
    details: int
    """Bytes of details, behind the header."""


def encode(entry: AudioEntry, generation: int, groups: Sequence[str] = ()) -> bytes:
    """The envelope of an entry, stamped with the generation of the cache it belongs to."""
    known = {GROUPS: groups} | {name: getattr(entry, name) for name in _DETAILS}
    details = json.dumps(
        {name: value for name, value in known.items() if value not in (None, "", (), [])},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    body = _BODY.pack(
        bytes.fromhex(entry.key),
        generation,
        entry.created,
        entry.expires,
        entry.keep_until,
        len(details),
    )
    checksum = xxh3_64(body, seed=_SEED)
    checksum.update(details)
    checksum.update(entry.audio)
    start = _START.pack(MAGIC, VERSION, 0, checksum.intdigest())
    return b"".join((start, body, details, entry.audio))


def decode(value: bytes, tier: str = ORIGIN) -> tuple[AudioEntry, int]:
    """The entry in an envelope, as `tier` has it, and its generation.

    Raises CorruptEntry or NewerSchema.
    """
    checksum = _check_start(value)
    view = memoryview(value)
    if len(value) < HEADER_BYTES or xxh3_64_intdigest(view[_START.size :], _SEED) != checksum:
        raise CorruptEntry("the envelope fails its checksum")
    key, generation, created, expires, keep_until, length = _BODY.unpack_from(value, _START.size)
    audio_at = HEADER_BYTES + length
    return (
        AudioEntry(
            key=key.hex(),
            created=created,
            expires=expires,
            keep_until=keep_until,
            audio=value[audio_at:],
            tier=tier,
            **_read_details(value[HEADER_BYTES:audio_at]),
        ),
        generation,
    )


def peek(head: bytes) -> Header:
    """The header alone, unverified, from at least HEADER_BYTES. Raises as `decode`."""
    _check_start(head)
    if len(head) < HEADER_BYTES:
        raise CorruptEntry("the envelope is cut short")
    key, *numbers = _BODY.unpack_from(head, _START.size)
    return Header(key.hex(), *numbers)


def silent(head: Header, details: bytes, tier: str = ORIGIN) -> AudioEntry:
    """The entry without its sound, unverified. Raises CorruptEntry."""
    return AudioEntry(
        key=head.key,
        created=head.created,
        expires=head.expires,
        keep_until=head.keep_until,
        audio=b"",
        tier=tier,
        **_read_details(details),
    )


def _check_start(value: bytes) -> int:
    if len(value) < _START.size or value[:2] != MAGIC:
        raise CorruptEntry("not an envelope of this cache")
    _, version, _, checksum = _START.unpack_from(value)
    if version > VERSION:
        raise NewerSchema(f"envelope version {version} is newer than {VERSION}")
    if value[: len(FIRST)] != FIRST:
        raise CorruptEntry("not the first bytes of an envelope")
    return int(checksum)


def _read_details(data: bytes) -> dict[str, Any]:
    try:
        # Of bytes, `json.loads` would first guess which Unicode they are.
        details: dict[str, Any] = {**_ABSENT, **_parse(data.decode())}
        details.pop(GROUPS, None)
        details["tags"] = tuple(details["tags"])
    except (TypeError, ValueError, RecursionError):
        raise CorruptEntry("the details are not what they should be") from None
    if len(details) > len(_DETAILS):  # a later release's, that this one does not know
        return {name: details[name] for name in _DETAILS}
    return details


_ABSENT: Final[dict[str, Any]] = {
    "namespace": "", "text_digest": "", "text": None, "variant": "", "content_type": "",
    "source_key": "", "transcoded_from": "", "duration_ms": None, "cost": None,
    "billed_units": None, "timings": "", "tags": (),
}  # fmt: skip
