"""espeak-ng: a robot's voice in 100 languages, without key or network, in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import ClassVar, Final

from audiocache.entries import Recording
from tts.deadline import Deadline
from tts.exceptions import InvalidSpeechRequest, ProviderDown, ProviderTimeout
from tts.formats import codec_of, content_type_of
from tts.providers import espeak_abi as abi
from tts.providers import espeak_library as espeak
from tts.providers import espeak_ssml, fields
from tts.providers.base import Provider, Voice
from tts.speech import SpeechRequest, WordTiming, timings_to_json
from tts.wav import wav_of

WORDS_PER_MINUTE: Final = 175
"""At speed 1."""

# Name of the option: parameter of the library, least, most.
_OPTIONS: Final = {
    "pitch": (abi.PITCH, 0, 99),
    "pitch_range": (abi.RANGE, 0, 99),
    "volume": (abi.VOLUME, 1, 200),
}
# The library takes control characters for commands.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class EspeakProvider(Provider):
    """A voice is a file of espeak-ng (en-us, de, fr), a language tag, or either with a
    variant behind a plus sign: en-us+f3. `+f3` alone is the variant of the language's voice.

    SSML may hold what `espeak_ssml` hands on; its pauses are at most 10 s.

    Below 80 words a minute (speed 0.46) the library would keep its pace without a word.
    """

    name = "espeak"
    remote = False
    extra = ("espeakng_loader", "espeak")
    formats = ("wav", "pcm")
    default_format = "wav"
    native_format = "wav"
    max_text = 5000
    default_voice = "en-us"
    default_model = "espeak-ng"
    speeds = (0.46, 4)
    sample_rates = (22050,)
    takes_ssml = True
    default_options: ClassVar[dict[str, int]] = {
        "pitch": 50,
        "pitch_range": 50,
        "volume": 100,
    }

    def voices(self) -> list[Voice]:
        """All of the library's, without variants. Raises a ProviderError."""
        with _meant():
            return [
                Voice(_id(listed), listed.name.strip(), tuple(tag for _, tag in listed.languages))
                for listed in espeak.library.voices
            ]

    def models(self) -> list[str]:
        """There is one."""
        return [self.default_model]

    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """As ever; the library is loaded for it. Raises a ProviderError where that fails."""
        with _meant():
            return super().complete(request)

    def complete_voice(self, request: SpeechRequest) -> tuple[str, str]:
        """The voice's own name, and its language: that of the request must fit."""
        language = fields.word("language", fields.first(request.language))
        wish = fields.word("voice", fields.first(request.voice)) or self._default_for(language)
        base, plus, variant = wish.partition("+")
        voice = _resolve("voice", base or self._default_for(language).partition("+")[0])
        spoken = _languages()[voice][0]
        if language and not _same_language(language, voice):
            raise InvalidSpeechRequest("language", f"must fit voice {voice!r}, which is {spoken}")
        return voice + (f"+{_variant(variant)}" if plus else ""), spoken

    def complete_text(self, request: SpeechRequest) -> str:
        """The text; SSML is of what the library can speak."""
        text = super().complete_text(request)
        if request.ssml is True:
            espeak_ssml.rewritten(_CONTROLS.sub(" ", text), _voice_named)
        return text

    def complete_options(self, request: SpeechRequest) -> dict[str, object]:
        """Every option within what the library takes."""
        chosen = super().complete_options(request)
        return {
            name: fields.whole(f"options.{name}", value, *_OPTIONS[name][1:])
            for name, value in chosen.items()
        }

    def synthesize(self, request: SpeechRequest, deadline: Deadline) -> Recording:
        """The sound, with the time of each word."""
        with _meant():
            spoken = espeak.library.speak(
                _spoken(request),
                request.voice or "",
                _parameters(request),
                ssml=request.ssml,
                stop=deadline.passed,
                patience=deadline.remaining(),
            )
        if spoken.stopped:
            raise ProviderTimeout("there was no time left", provider=self.name)
        return _recording(spoken, request)

    def _default_for(self, language: str | None) -> str:
        """The configured voice where it speaks this language, else the language's own."""
        wanted = language or self.config.language
        if wanted is None:
            return self.config.voice or self.default_voice
        own = _resolve("language", wanted)
        if self.config.voice is None:
            return own
        configured = _resolve("voice", self.config.voice.partition("+")[0])
        return self.config.voice if _same_language(wanted, configured) else own


@contextmanager
def _meant() -> Iterator[None]:
    """What the library says, in the words of all providers."""
    try:
        yield
    except espeak.EspeakBusy as error:
        raise ProviderTimeout(str(error), provider=EspeakProvider.name) from error
    except espeak.EspeakError as error:
        raise ProviderDown(str(error), provider=EspeakProvider.name) from error


def _spoken(request: SpeechRequest) -> str:
    """What the library is given. Raises InvalidSpeechRequest."""
    text = _CONTROLS.sub(" ", request.text)
    return espeak_ssml.rewritten(text, _voice_named) if request.ssml else text


def _recording(spoken: espeak.Spoken, request: SpeechRequest) -> Recording:
    rate = espeak.library.sample_rate
    audio_format = request.audio_format or ""
    # In SSML the positions would be those of the document that was written anew.
    words = [] if request.ssml else spoken.words
    timings = [WordTiming(start / 1000, *where) for start, *where in words]
    return Recording(
        audio=spoken.pcm if codec_of(audio_format) == "pcm" else wav_of(spoken.pcm, rate),
        content_type=content_type_of(audio_format),
        duration_ms=len(spoken.pcm) * 500 // rate,
        timings=timings_to_json(timings),
        billed_units=len(request.text),
        cost=0,
    )


def _parameters(request: SpeechRequest) -> dict[int, int]:
    pace = round(WORDS_PER_MINUTE * (request.speed or 1))
    chosen = {_OPTIONS[name][0]: value for name, value in request.options.items()}
    return {abi.RATE: pace} | chosen


def _id(voice: espeak.ListedVoice) -> str:
    return voice.file.lower()


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    """Language tags of each voice, the best first."""
    return {_id(voice): tuple(tag for _, tag in voice.languages) for voice in espeak.library.voices}


@cache
def _names() -> dict[str, str]:
    """Voice by every name that it answers to: language tags, the nearest first, and its own."""
    claims = sorted(
        ((priority, tag, _id(voice)) for voice in espeak.library.voices
         for priority, tag in voice.languages), reverse=True,
    )  # fmt: skip
    by_tag = {tag: voice for _, tag, voice in claims}
    return by_tag | {voice: voice for voice in _languages()}


def _resolve(field: str, name: str) -> str:
    """The voice of a voice's name or a language tag; en_US is en-us, and en-AU is en."""
    tag = name.strip().lower().replace("_", "-")
    names = _names()
    if tag in names:
        return names[tag]
    general = tag.partition("-")[0]
    if field == "language" and general in names:
        return names[general]
    return fields.one_of(field, tag, sorted(names))


def _voice_named(field: str, name: str) -> str:
    """As `_resolve`, with a variant behind a plus sign."""
    base, plus, variant = name.partition("+")
    return _resolve(field, base) + (f"+{_variant(variant)}" if plus else "")


def _same_language(language: str, voice: str) -> bool:
    wanted = language.lower().replace("_", "-").partition("-")[0]
    spoken = {tag.partition("-")[0] for tag in _languages()[voice]}
    return wanted in spoken or _names().get(wanted) == voice


def _variant(name: str) -> str:
    known = espeak.library.variants
    return name if name in known else fields.one_of("voice", name, sorted(known))
