"""ElevenLabs: POST /v1/text-to-speech/{voice_id}.

Voice settings that are left out are those stored with the voice, which somebody may edit:
all of them are always sent, and are in the key.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from tts.exceptions import (
    ContentRefused,
    InvalidSpeechRequest,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    WrongKey,
)
from tts.formats import codec_of
from tts.providers import fields
from tts.providers.calls import HttpCall
from tts.providers.http import HttpProvider, words_in
from tts.speech import SpeechRequest

MAX_TEXTS: Final = {
    "eleven_v3": 3_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_multilingual_v1": 10_000,
    "eleven_monolingual_v1": 10_000,
    "eleven_flash_v2": 30_000,
    "eleven_turbo_v2": 30_000,
    "eleven_flash_v2_5": 40_000,
    "eleven_turbo_v2_5": 40_000,
}
"""Characters by model; a model that is not here has `max_text`."""

MAX_CONTEXT: Final = 10_000
"""Characters of `previous_text` and `next_text`."""
MAX_SEED: Final = 2**32 - 1
NORMALIZATIONS: Final = ("auto", "off", "on")
LOCATOR: Final = ("pronunciation_dictionary_id", "version_id")

_RATES: Final = (24000, 8000, 16000, 22050, 32000, 44100, 48000)
_VOICE_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_SHARES: Final = ("stability", "similarity_boost", "style")


class ElevenLabsProvider(HttpProvider):
    """The voices of ElevenLabs."""

    name = "elevenlabs"
    default_base_url = "https://api.elevenlabs.io"
    billed_header = "character-cost"
    concurrency_headers = ("current-concurrent-requests", "maximum-concurrent-requests")
    concurrency_words = frozenset({"too_many_concurrent_requests", "concurrent_limit_exceeded"})
    request_id_header = "request-id"

    formats: ClassVar[tuple[str, ...]] = (
        "mp3_44100_128",
        "mp3_44100_32",
        "mp3_44100_64",
        "mp3_44100_96",
        "mp3_44100_192",
        "mp3_22050_32",
        "mp3_24000_48",
        *(f"opus_48000_{kbps}" for kbps in (128, 32, 64, 96, 192)),
        *(f"pcm_{rate}" for rate in _RATES),
        *(f"wav_{rate}" for rate in _RATES),
        "ulaw_8000",
        "alaw_8000",
    )
    default_format = "mp3_44100_128"
    native_format = "mp3_44100_128"  # wav and pcm at this rate ask for a dearer plan
    max_text = MAX_TEXTS["eleven_multilingual_v2"]
    default_voice = "JBFqnCBsd6RMkjVDRZzb"
    default_model = "eleven_multilingual_v2"
    speeds = (0.7, 1.2)
    default_options: ClassVar[dict[str, Any]] = {
        "stability": 0.5,
        "similarity_boost": 0.75,
        "style": 0,
        "use_speaker_boost": True,
        "seed": None,
        "previous_text": None,
        "next_text": None,
        "apply_text_normalization": "auto",
        "pronunciation_dictionary_locators": None,
    }
    text_options = ("previous_text", "next_text")
    meanings = {  # noqa: RUF012 - constant
        "quota_exceeded": QuotaSpent,
        "too_many_concurrent_requests": RateLimited,
        "concurrent_limit_exceeded": RateLimited,
        "rate_limit_exceeded": RateLimited,
        "system_busy": RateLimited,
        "invalid_api_key": WrongKey,
        "missing_permissions": WrongKey,
        "needs_authorization": WrongKey,
        "detected_unusual_activity": WrongKey,
        "content_against_policy": ContentRefused,
        "voice_not_found": RequestRefused,
        "model_not_found": RequestRefused,
        "max_character_limit_exceeded": RequestRefused,
    }

    # The fields of a request

    def complete_format(self, request: SpeechRequest) -> str:
        """A name of the list, or a codec alone: the first name that has it."""
        given = request.audio_format or self.config.format
        short = {codec_of(name): name for name in reversed(self.formats)}
        if isinstance(given, str) and given in short:
            return short[given]
        return super().complete_format(request)

    def complete_text(self, request: SpeechRequest) -> str:
        """The text, within the limit of its model."""
        limit = MAX_TEXTS.get(self.complete_model(request) or "", self.max_text)
        return fields.text(request.text, limit, self.text_unit)

    def complete_voice(self, request: SpeechRequest) -> tuple[str | None, str | None]:
        """The voice is an id: it stands in the address."""
        voice, language = super().complete_voice(request)
        if voice is None or not _VOICE_ID.fullmatch(voice):
            raise InvalidSpeechRequest("voice", "must be a voice id: letters, digits, _ and -")
        return voice, language

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """Every voice setting, and what gives the text its context."""
        found = super().complete_options(request)
        for name in _SHARES:
            found[name] = fields.number(f"options.{name}", found[name], 0, 1)
        if not isinstance(found["use_speaker_boost"], bool):
            raise InvalidSpeechRequest("options.use_speaker_boost", "must be a bool")
        if found["seed"] is not None:
            found["seed"] = fields.whole("options.seed", found["seed"], 0, MAX_SEED)
        for name in ("previous_text", "next_text"):
            _check_context(name, found[name])
        name = "apply_text_normalization"
        found[name] = fields.one_of(f"options.{name}", found[name], NORMALIZATIONS)
        _check_locators(found["pronunciation_dictionary_locators"])
        return found

    # The call

    def call(self, request: SpeechRequest) -> HttpCall:
        """Every voice setting is sent, whatever it is."""
        return HttpCall(
            url=f"{self.base_url}/v1/text-to-speech/{request.voice}",
            headers={"xi-api-key": self.config.api_key or ""},
            params={"output_format": request.audio_format or self.default_format},
            json={name: value for name, value in _body(request).items() if value is not None},
        )

    def stream_call(self, request: SpeechRequest) -> HttpCall:
        """The same call elsewhere: there the sound is sent as it is made."""
        call = self.call(request)
        return dataclasses.replace(call, url=f"{call.url}/stream")

    def error_words(self, body: dict[str, Any]) -> Iterable[str]:
        """`{"detail": {"status": ...}}`; `detail` is a list where a field is wrong."""
        detail = body.get("detail")
        if not isinstance(detail, dict):
            return []
        return words_in(detail.get("status"), detail.get("code"), detail.get("type"))


def _body(request: SpeechRequest) -> dict[str, Any]:
    options = dict(request.options)
    settings = {name: options.pop(name) for name in (*_SHARES, "use_speaker_boost")}
    return {
        "text": request.text,
        "model_id": request.model,
        "language_code": request.language,
        "voice_settings": settings | {"speed": request.speed},
        **options,
    }


def _check_context(name: str, value: object) -> None:
    if value is not None and not (isinstance(value, str) and len(value) <= MAX_CONTEXT):
        raise InvalidSpeechRequest(f"options.{name}", f"must be at most {MAX_CONTEXT} characters")


def _check_locators(value: object) -> None:
    if value is not None and not (isinstance(value, list) and all(map(_is_locator, value))):
        name = "options.pronunciation_dictionary_locators"
        raise InvalidSpeechRequest(name, f"must be a list of dicts of {' and '.join(LOCATOR)}")


def _is_locator(value: object) -> bool:
    return (
        isinstance(value, dict)
        and LOCATOR[0] in value
        and set(value) <= set(LOCATOR)
        and all(isinstance(word, str) for word in value.values())
    )
