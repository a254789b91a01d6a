"""What is asked for, `SpeechRequest`, and what one gets, `Speech`."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypedDict

from audiocache.entries import NEVER, ORIGIN, AudioEntry, Clip
from audiocache.keys import clip_of, normalize_text
from tts.exceptions import InvalidSpeechRequest

PROVIDER = "provider"
"""`Speech.tier` of a clip that was made now rather than found."""


class SpeechFields(TypedDict, total=False):
    """How a text is to sound: what may be said of it beside the text."""

    voice: str | None
    model: str | None
    audio_format: str | None
    speed: float | None
    language: str | None
    instructions: str | None
    ssml: bool


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text and how it is to sound. What is None or "", the provider fills with its default.

    Only a complete request has keys: `service.complete(request)` makes it complete, with
    every wrong value an InvalidSpeechRequest. `dataclasses.replace` gives an incomplete one.
    """

    text: str = field(repr=False)
    voice: str | None = None
    model: str | None = None
    audio_format: str | None = None
    speed: float | None = None
    """A factor; 1 is the voice's normal speed."""
    language: str | None = None
    instructions: str | None = field(default=None, repr=False)
    ssml: bool = False
    """The text is SSML, sent as it is."""
    sample_rate: int | None = None
    """Hz."""
    options: dict[str, Any] = field(default_factory=dict, hash=False, repr=False)
    """The provider's own options."""
    provider: str | None = None
    voice_revision: str | None = None
    text_options: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Which options hold text; the provider says so."""
    _complete: bool = field(default=False, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.options, dict):
            object.__setattr__(self, "options", copy.deepcopy(self.options))

    @property
    def is_complete(self) -> bool:
        """Has a provider filled and checked every field?"""
        return self._complete

    def completed(self, **fields: Any) -> Self:
        """With these fields, and complete: for providers, who have checked all of them."""
        request = dataclasses.replace(self, **fields)
        object.__setattr__(request, "_complete", True)
        return request

    def spoken(self) -> Self:
        """With the text as it is sent to the provider: normalised, as in the key."""
        self._require_complete()
        return self.completed(text=normalize_text(self.text))

    @property
    def variant(self) -> dict[str, object]:
        """All that changes the sound beside the text. Raises when incomplete."""
        self._require_complete()
        return {
            "provider": self.provider,
            "model": self.model,
            "voice": self.voice,
            "language": self.language,
            "format": self.audio_format,
            "sample_rate": self.sample_rate,
            "speed": self.speed,
            "instructions": self.instructions,
            "ssml": self.ssml,
            "options": self.options or None,
            "voice_revision": self.voice_revision,
        }

    @property
    def source_variant(self) -> dict[str, object]:
        """The variant without the output format: what is paid for."""
        return self.variant | {"format": None}

    def clip(self, namespace: str = "") -> Clip:
        """The cache's name of this rendition. Raises InvalidSpeechRequest when incomplete."""
        try:
            return clip_of(
                self.text,
                self.variant,
                namespace,
                source_variant=self.source_variant,
                texts=("instructions", *(f"options.{name}" for name in self.text_options)),
            )
        except (TypeError, ValueError) as error:
            raise as_invalid(error) from error

    @property
    def key(self) -> str:
        """The key of this rendition, in the common namespace."""
        return self.clip().key

    @property
    def source_key(self) -> str:
        """The key of what is paid for, in whatever format, in the common namespace."""
        return self.clip().source_key

    def _require_complete(self) -> None:
        if not self._complete:
            raise InvalidSpeechRequest(
                "request", "is not complete and has no key: use service.complete(request)"
            )


def as_invalid(error: Exception) -> InvalidSpeechRequest:
    """The key's complaint, such as `options.pitch must be finite`, as one of the request."""
    if isinstance(error, InvalidSpeechRequest):
        return error
    name, _, limit = str(error).partition(" ")
    return InvalidSpeechRequest(name, limit)


class WordTiming(NamedTuple):
    """When a word is spoken: `text[position:position + length]` from `start` seconds on."""

    start: float
    position: int
    length: int


def timings_to_json(timings: list[WordTiming]) -> str:
    """For `Recording.timings`: [[milliseconds, position, length], ...]; no text in it."""
    rows = [[round(start * 1000), position, length] for start, position, length in timings]
    return json.dumps(rows, separators=(",", ":")) if rows else ""


@dataclass(frozen=True, slots=True)
class Speech:
    """The answer to a request: the sound, where it was found, and what is known of it."""

    entry: AudioEntry
    fallback: bool = False
    """Another provider spoke, as the first one could not; `provider` says which."""

    @property
    def audio(self) -> bytes:
        """The bytes to play."""
        return self.entry.audio

    @property
    def content_type(self) -> str:
        """Such as audio/wav."""
        return self.entry.content_type

    @property
    def key(self) -> str:
        """Of this rendition, in the namespace it was asked for in."""
        return self.entry.key

    @property
    def tier(self) -> str:
        """Who answered: memory, persistent, distributed or provider."""
        return PROVIDER if self.entry.tier == ORIGIN else self.entry.tier

    @property
    def provider(self) -> str:
        """The name of the provider that spoke."""
        return self.entry.label("provider")

    @property
    def stale(self) -> bool:
        """Past its time, and served because the provider failed."""
        return self.entry.stale

    @property
    def joined(self) -> bool:
        """Another caller's call to the provider was shared."""
        return self.entry.joined

    @property
    def transcoded(self) -> bool:
        """Made from a clip in another format, which was paid for."""
        return bool(self.entry.transcoded_from)

    @property
    def paid(self) -> bool:
        """A provider was asked for it now; it may have been made into another format at once."""
        billed = self.entry.billed_units is not None
        return self.tier == PROVIDER and (billed or not self.transcoded)

    @property
    def stored(self) -> bool:
        """Does a tier have it?"""
        return not self.entry.nowhere

    def ttl(self, now: int) -> int | None:
        """Seconds for which it is fresh at `now` (ms), below 0 when it is stale; None: for ever."""
        return None if self.entry.expires == NEVER else (self.entry.expires - now) // 1000

    @property
    def duration(self) -> float | None:
        """Seconds, where it is known."""
        return None if self.entry.duration_ms is None else self.entry.duration_ms / 1000

    @property
    def cost(self) -> int | None:
        """What the clip cost when it was made, in millionths of the currency's unit."""
        return self.entry.cost

    @property
    def timings(self) -> tuple[WordTiming, ...]:
        """When each word is spoken, where the provider said so; positions in the sent text."""
        rows = json.loads(self.entry.timings) if self.entry.timings else []
        return tuple(WordTiming(start / 1000, *where) for start, *where in rows)
