"""What a provider is: three steps of one straight line.

    complete(request)  fills every field that changes the sound, and checks it
    synthesize(...)    makes the sound: the one method that a provider must have
                       (stream(...): the same, heard while it is made)
    (the service)      admits the Recording and stores it

`docs/adding-a-provider.md` builds one. A limit is a class attribute; what is more than a
limit is one of the `complete_...` methods.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from audiocache.entries import Recording
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.habits import Habits
from tts.prices import BYTES, CHARACTERS
from tts.providers import fields
from tts.speech import SpeechRequest
from tts.transcoding import is_made_here

Take = Callable[[bytes], object]
"""Is given the next bytes of a sound."""


class MissingExtra(ImproperlyConfigured):
    """The chosen provider stands on a package that is not installed."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can be asked for by its `id`."""

    id: str
    name: str
    languages: tuple[str, ...] = ()
    """Tags such as en-us, the best first; empty: any."""


class Provider(ABC):
    """Turns complete requests into recordings. Built once per service, used by many threads."""

    name: ClassVar[str]
    """Part of every key: it must not change."""
    remote: ClassVar[bool] = True
    """Calls go over a network: they run on threads of the cache, so that callers can leave."""
    streams: ClassVar[bool] = False
    """`stream` gives the sound as it comes."""
    extra: ClassVar[tuple[str, str] | None] = None
    """The module that must be there, and the extra of django-audiocache that brings it."""

    formats: ClassVar[tuple[str, ...]]
    default_format: ClassVar[str]
    native_format: ClassVar[str]
    """What it makes at no higher price, without loss if it can: the master of other renditions."""
    max_text: ClassVar[int]
    price_unit: ClassVar[str] = CHARACTERS
    """What the vendor bills: CHARACTERS, BYTES, TOKENS or SECONDS of `tts.prices`."""
    text_unit: ClassVar[str] = CHARACTERS
    """What `max_text` counts: CHARACTERS or BYTES (of UTF-8)."""
    default_voice: ClassVar[str | None] = None
    default_model: ClassVar[str | None] = None
    default_language: ClassVar[str | None] = None
    speeds: ClassVar[tuple[float, float] | None] = None
    """Least and most; None: it has one speed, and 1 is the only value."""
    sample_rates: ClassVar[tuple[int, ...]] = ()
    """Hz, the default first; empty: it cannot be chosen."""
    takes_ssml: ClassVar[bool] = False
    max_instructions: ClassVar[int] = 0
    """Characters; 0: it takes none."""
    default_options: ClassVar[Mapping[str, Any]] = {}
    """Every option that changes the sound, with its default."""
    text_options: ClassVar[tuple[str, ...]] = ()
    """Those that may hold text: not stored in clear with CACHE_STORE_TEXT=false."""

    allowed_calls: int | None = None
    """How many calls at once the provider's last answer allowed; None: it does not say."""

    def __init__(self, config: TTSConfig) -> None:
        self.config = config
        self.habits = Habits()

    @property
    def account(self) -> str:
        """What limits hold for: the same in all processes that call the same place with one key.

        Of the key it has a digest, and stores are told a digest of it all.
        """
        key = self.config.api_key
        digest = hashlib.sha256(f"tts.account {key}".encode()).hexdigest()[:16] if key else ""
        return f"{self.name} {self.config.base_url or ''} {self.config.region or ''} {digest}"

    @classmethod
    def require_extra(cls) -> None:
        """Raise MissingExtra when the package it stands on is not installed."""
        if cls.extra is not None and importlib.util.find_spec(cls.extra[0]) is None:
            raise MissingExtra(
                f"The speech provider {cls.name!r} needs a package that is not installed: "
                f"pip install 'django-audiocache[{cls.extra[1]}]'"
            )

    # What it can do

    @property
    def master(self) -> str | None:
        """What is bought, whichever format is asked for, where it holds as much; None: as asked."""
        return self.native_format if self.remote else None

    def voices(self) -> list[Voice]:
        """The voices to choose from; empty when they are not known beforehand."""
        return []

    def models(self) -> list[str]:
        """The models to choose from; empty when they are not known beforehand."""
        return []

    def speaks(self, audio_format: str) -> bool:
        """Is it one of the provider's own formats? Others are made of its native one."""
        return audio_format in self.formats

    def own_voice(self, voice_id: str) -> str:
        """What a voice of the account's own is called in a request, by its id."""
        return voice_id

    def promised(self, request: SpeechRequest) -> SpeechRequest:
        """The request as far as its sound is held to it."""
        return request

    # First step

    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """The request with every field filled and checked; a complete one as it is.

        Raises InvalidSpeechRequest that names the field and its limit.
        """
        fields.check_provider(request.provider, self.name)
        if request.is_complete:
            return request if request.provider else self._exactly(request)
        voice, language = self.complete_voice(request)
        return request.completed(
            provider=self.name,
            text=self.complete_text(request),
            voice=voice,
            language=language,
            model=self.complete_model(request),
            audio_format=self.complete_format(request),
            speed=self.complete_speed(request),
            instructions=fields.instructions(request.instructions, self.max_instructions),
            ssml=fields.ssml(request.ssml, takes_ssml=self.takes_ssml),
            sample_rate=fields.sample_rate(request.sample_rate, self.sample_rates),
            options=self.complete_options(request),
            text_options=self.text_options,
            voice_revision=fields.word(
                "voice_revision", fields.first(request.voice_revision, self.config.voice_revision)
            ),
        )

    def _exactly(self, request: SpeechRequest) -> SpeechRequest:
        """What was complete without a provider's name, as an address holds it: no default enters.

        It is checked, as voices and models go; an option that is new since stands at its own.
        """
        checked = self.complete(dataclasses.replace(request))
        options = {**self.default_options, **request.options}
        return request.completed(
            provider=checked.provider, options=options, text_options=checked.text_options
        )

    def complete_text(self, request: SpeechRequest) -> str:
        """The text, checked and counted as it will be sent."""
        return fields.text(request.text, self.max_text, self.text_unit)

    def complete_voice(self, request: SpeechRequest) -> tuple[str | None, str | None]:
        """Voice and language."""
        known = [voice.id for voice in self.voices()]
        wish = fields.first(request.voice, self.config.voice, self.default_voice)
        voice = fields.word("voice", wish)
        language = fields.first(request.language, self.config.language, self.default_language)
        checked = fields.one_of("voice", voice, known) if known and voice else voice
        return checked, fields.word("language", language)

    def complete_model(self, request: SpeechRequest) -> str | None:
        """The model; None where the provider has no such thing."""
        wish = fields.first(request.model, self.config.model, self.default_model)
        model = fields.word("model", wish)
        known = self.models()
        return fields.one_of("model", model, known) if known and model else model

    def complete_format(self, request: SpeechRequest) -> str:
        """The audio format: one of the provider's, or one that can be made of those."""
        wanted = fields.first(request.audio_format, self.config.format, self.default_format)
        if is_made_here(wanted):
            return str(wanted)
        return fields.one_of("audio_format", wanted, self.formats)

    def complete_speed(self, request: SpeechRequest) -> float:
        """The speed factor, as exact as it is sent."""
        return fields.speed(request.speed, self.speeds)

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """Every option, those not given at their defaults."""
        return fields.options(request.options, self.config.options, self.default_options)

    # Second step

    @abstractmethod
    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """The sound of a complete request whose text is normalised.

        Raises a ProviderError, with neither text nor key in its message. Called from many
        threads at once; gives up when the deadline has passed.
        """

    def stream(self, request: SpeechRequest, deadline: Deadline, take: Take) -> Recording:  # noqa: ARG002 - for those that stream
        """As `synthesize`, with every bit of the same sound given to `take` as it comes.

        Only where `streams` is true. `take` returns at once, whoever listens.
        """
        return self.synthesize(request, deadline)

    def units(self, request: SpeechRequest) -> int:
        """What the vendor's rule bills for a complete request, before it is asked."""
        return len(request.text.encode() if self.price_unit == BYTES else request.text)

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give connections back."""
