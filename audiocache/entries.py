"""The values of the cache: what is asked for, what was made, and what is stored.

`Clip` (which clip) + `Recording` (its sound) + a life -> `AudioEntry` (what the tiers hold).
"""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from audiocache.content_types import sniff
from audiocache.fields import LARGEST, as_amount, as_audio, as_content_type, as_tags, as_text
from audiocache.textless import without_texts

NEVER: Final = LARGEST
"""The instant of an entry without expiry."""

LATEST: Final = 253_402_300_799_999
"""The end of the year 9999: no `datetime` is later, so what lives longer lives for ever."""

ORIGIN: Final = "origin"
"""`AudioEntry.tier` of a clip that was made now rather than found."""


class Forever(enum.Enum):
    """The type of `FOREVER`, so that a type checker can tell it from a number of seconds."""

    FOREVER = "forever"

    def __repr__(self) -> str:
        return "FOREVER"


FOREVER: Final = Forever.FOREVER

Ttl = float | Literal[Forever.FOREVER] | None


@dataclass(frozen=True, slots=True)
class Clip:
    """Which clip is asked for. Made by `audiocache.keys.clip_of`."""

    key: str
    text_digest: str
    text: str
    variant: str = ""
    """Canonical JSON; empty for bare text."""
    namespace: str = ""
    source_key: str = ""
    """Key of the paid clip this one is a rendition of; its own key when it is one itself."""
    legacy_key: str | None = None
    """The key an earlier cache gave this text, where normalisation changed the text."""
    legacy_digest: str | None = None
    """The digest of the text as it was given, there."""

    texts: tuple[str, ...] = ()
    """Parameters of the variant that hold text, such as `options.previous_text`."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which an entry of the clip may lie."""
        return (self.key,) if self.legacy_key is None else (self.key, self.legacy_key)

    @property
    def digests(self) -> list[str]:
        """Under which entries of the text are found."""
        return [digest for digest in (self.text_digest, self.legacy_digest) if digest]

    def stored_variant(self, *, store_text: bool) -> str:
        """The variant, with digests in place of texts where these are not to be stored."""
        return self.variant if store_text else without_texts(self.variant, self.texts)

    def __repr__(self) -> str:
        return f"Clip({self.key[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """The sound of a clip and what is known of it, as its maker hands it over."""

    audio: bytes
    content_type: str | None = None
    """None: told from the bytes."""
    ttl_seconds: Ttl = None
    tags: tuple[str, ...] = ()
    duration_ms: int | None = None
    cost: int | None = None
    """In millionths of the currency's unit."""
    billed_units: int | None = None
    timings: str = ""
    """Word timings as JSON, where the maker gave them."""
    transcoded_from: str = ""

    def __repr__(self) -> str:
        return f"Recording({len(self.audio)} bytes, {self.content_type})"


class AudioEntry(NamedTuple):
    """A stored clip. Instants are milliseconds since the epoch; `NEVER` has no end."""

    key: str
    namespace: str
    text_digest: str
    text: str | None
    variant: str
    content_type: str
    created: int
    expires: int
    keep_until: int
    source_key: str
    transcoded_from: str
    duration_ms: int | None
    cost: int | None
    billed_units: int | None
    timings: str
    tags: tuple[str, ...]
    audio: bytes
    tier: str = ORIGIN
    stale: bool = False
    joined: bool = False
    """Another caller's making of this clip was shared."""
    nowhere: bool = False
    """No tier took it when it was made."""
    spare: bool = False
    """Nobody has asked for it yet: it is the first to leave, and nothing leaves for it."""

    @property
    def size(self) -> int:
        """Bytes of audio."""
        return len(self.audio)

    @property
    def created_at(self) -> datetime:
        """When the clip was stored first."""
        return _instant(self.created)

    @property
    def expires_at(self) -> datetime | None:
        """Fresh until then; None: for ever."""
        return None if self.expires == NEVER else _instant(self.expires)

    def found_in(self, tier: str) -> AudioEntry:
        """The same, as a tier gives it: made three times as fast as by `_replace`."""
        if self.tier == tier:
            return self
        return AudioEntry._make((*self[:_TIER], tier, *self[_TIER + 1 :]))

    def label(self, name: str) -> str:
        """A parameter of the variant as free text: provider, model, voice, language."""
        value = json.loads(self.variant).get(name, "") if self.variant else ""
        return value if isinstance(value, str) else json.dumps(value)

    def __repr__(self) -> str:
        return f"AudioEntry({self.key[:12]}, {len(self.audio)} bytes, {self.tier})"


_TIER: Final = AudioEntry._fields.index("tier")


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)


def entry_of(clip: Clip, recording: Recording, life: Life, *, store_text: bool) -> AudioEntry:
    """What the tiers are to hold of this clip and its recording. Raises TypeError, ValueError."""
    audio = as_audio(recording.audio)
    return AudioEntry(
        key=clip.key,
        namespace=clip.namespace,
        text_digest=clip.text_digest,
        text=clip.text if store_text else None,
        variant=clip.stored_variant(store_text=store_text),
        content_type=as_content_type(recording.content_type) or sniff(audio),
        created=life.created,
        expires=life.expires,
        keep_until=life.keep_until,
        source_key=clip.source_key,
        transcoded_from=as_text("transcoded_from", recording.transcoded_from),
        duration_ms=as_amount("duration_ms", recording.duration_ms),
        cost=as_amount("cost", recording.cost),
        billed_units=as_amount("billed_units", recording.billed_units),
        timings=as_text("timings", recording.timings),
        tags=as_tags(recording.tags),
        audio=audio,
    )


class Life(NamedTuple):
    """When an entry was stored, until when it is fresh, and until when it is kept."""

    created: int
    expires: int
    keep_until: int


def life_from(now: int, ttl_seconds: Ttl, *, default_ms: int, stale_ms: int) -> Life:
    """The life of a clip stored at `now` (ms). `default_ms` of 0 is for ever.

    Raises TypeError or ValueError when `ttl_seconds` is not None, FOREVER or a finite
    number above 0.
    """
    ms = default_ms if ttl_seconds is None else _ttl_ms(ttl_seconds)
    if ms == 0 or now + ms + stale_ms > LATEST:
        return Life(now, NEVER, NEVER)
    return Life(now, now + ms, now + ms + stale_ms)


def _ttl_ms(ttl_seconds: float | Forever) -> int:
    if ttl_seconds is FOREVER:
        return 0
    if isinstance(ttl_seconds, bool):
        raise ValueError("ttl_seconds must be a number of seconds or FOREVER, not a bool")
    if not isinstance(ttl_seconds, int | float):
        raise TypeError(
            f"ttl_seconds must be a number of seconds, FOREVER or None, "
            f"not {type(ttl_seconds).__name__}"
        )
    if not 0 < ttl_seconds < math.inf:
        raise ValueError(f"ttl_seconds must be a finite number above 0, not {ttl_seconds!r}")
    return math.ceil(ttl_seconds * 1000) if ttl_seconds < LATEST else LATEST
