"""Values for tests: entries, rows, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.declarations import LazyAttribute, SelfAttribute, Sequence
from factory.django import DjangoModelFactory

from audiocache.entries import NEVER, AudioEntry
from audiocache.keys import canonical_variant, clip_key, text_digest
from audiocache.models import AudioCacheEntry
from audiocache.rows import checksum
from tts.models import WarmPhrase

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


class RowFactory(DjangoModelFactory[AudioCacheEntry]):
    """Rows on the process's alias, which no tier wrote."""

    class Meta:
        model = AudioCacheEntry

    text = Sequence("phrase {}".format)
    text_digest = LazyAttribute(lambda made: text_digest(made.text))
    key = SelfAttribute("text_digest")
    source_key = SelfAttribute("text_digest")
    audio = LazyAttribute(lambda made: b"RIFF" + made.text.encode() * 3)
    content_type = "audio/wav"
    size = LazyAttribute(lambda made: len(made.audio))
    checksum = LazyAttribute(lambda made: checksum(made.audio))
    created = NOW
    used = NOW


def row(said: str, **fields: Any) -> AudioCacheEntry:
    """A stored row of this text."""
    return RowFactory.create(text=said, **fields)


class WarmPhraseFactory(DjangoModelFactory[WarmPhrase]):
    """Phrases of the admin."""

    class Meta:
        model = WarmPhrase

    text = Sequence("phrase {}".format)
