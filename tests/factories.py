"""Values for tests: entries, rows, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audiocache.entries import NEVER, AudioEntry
from audiocache.keys import canonical_variant, clip_key, text_digest
from audiocache.models import AudioCacheEntry
from audiocache.rows import checksum

NOW = 1_800_000_000_000
"""Where every fake clock starts: a moment in January 2027."""
HOUR = 3_600_000


class FakeClock:
    """Milliseconds, moved by hand."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def entry(
    said: str,
    /,
    *,
    ttl: int = HOUR,
    stale: int = 0,
    parameters: Mapping[str, Any] | None = None,
    **fields: Any,
) -> AudioEntry:
    """An entry of this text as the cache makes it: digests, keys and instants fit.

    `ttl` (0: for ever) and `stale` are ms; `parameters` are the variant.
    """
    digest, variant = text_digest(said), canonical_variant(parameters or {})
    key = clip_key(digest, variant, fields.get("namespace", ""))
    expires = fields.get("created", NOW) + ttl if ttl else NEVER
    made: dict[str, Any] = {
        "key": key, "namespace": "", "text_digest": digest, "text": said, "variant": variant,
        "content_type": "audio/wav", "created": NOW, "expires": expires,
        "keep_until": expires + stale if ttl else NEVER, "source_key": key, "transcoded_from": "",
        "duration_ms": None, "cost": None, "billed_units": None, "timings": "", "tags": (),
        "audio": b"RIFF" + said.encode() * 3,
    }  # fmt: skip
    return AudioEntry(**made | fields)


def row(said: str, **fields: Any) -> AudioCacheEntry:
    """A stored row of this text, on the process's alias, which no tier wrote."""
    digest, audio = text_digest(said), b"RIFF" + said.encode() * 3
    made: dict[str, Any] = {
        "key": digest, "text_digest": digest, "text": said, "source_key": digest, "audio": audio,
        "content_type": "audio/wav", "size": len(audio), "checksum": checksum(audio),
        "created": NOW, "used": NOW,
    }  # fmt: skip
    stored: AudioCacheEntry = AudioCacheEntry.objects.create(**made | fields)
    return stored
