"""OpenAI's speech API, and every other server that speaks it: POST {base}/audio/speech.

`TTS_BASE_URL` says whose; then a key is only sent where one is set. No model is a default:
vendors retire them, and each server has others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from tts.exceptions import (
    ContentRefused,
    InvalidSpeechRequest,
    ProviderDown,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    WrongKey,
)
from tts.providers import fields
from tts.providers.calls import HttpCall
from tts.providers.http import HttpProvider, words_in
from tts.speech import SpeechRequest

SAMPLE_RATE: Final = 24_000
"""Hz of pcm, which has no header to say it."""

OWN_VOICE: Final = "id:"
"""Before the id of a voice that is sent as {"id": ...}."""

_OWN: Final = re.compile(r"id:[^\s:]+")


class OpenAIProvider(HttpProvider):
    """A server that speaks OpenAI's API."""

    name = "openai"
    default_base_url = "https://api.openai.com/v1"

    formats: ClassVar[tuple[str, ...]] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
    default_format = "mp3"
    native_format = "wav"
    max_text = 4096
    default_voice = "alloy"
    speeds = (0.25, 4)
    sample_rates = (SAMPLE_RATE,)
    max_instructions = 4096
    default_options: ClassVar[dict[str, Any]] = {"extra_body": {}}
    text_options = ("extra_body",)
    meanings = {  # noqa: RUF012 - constant
        "insufficient_quota": QuotaSpent,
        "billing_hard_limit_reached": QuotaSpent,
        "billing_not_active": QuotaSpent,
        "rate_limit_exceeded": RateLimited,
        "invalid_api_key": WrongKey,
        "content_policy_violation": ContentRefused,
        "moderation_blocked": ContentRefused,
        "model_not_found": RequestRefused,
        "server_error": ProviderDown,
    }

    def check_access(self) -> None:
        """A server of one's own may need no key."""
        if not self.config.base_url:
            super().check_access()

    @property
    def master(self) -> str | None:
        """Of OpenAI; what another server makes without loss, and at what price, is not known."""
        return None if self.config.base_url else super().master

    # The fields of a request

    def complete_model(self, request: SpeechRequest) -> str | None:
        """The model, which must be named."""
        model = super().complete_model(request)
        if model is None:
            raise InvalidSpeechRequest("model", "is not named: set TTS_MODEL, or give model=")
        return model

    def complete_voice(self, request: SpeechRequest) -> tuple[str | None, str | None]:
        """A name, or {"id": ...}, which is kept as `id:...`; no language is sent."""
        fields.word("language", fields.first(request.language))
        given = fields.first(request.voice, self.config.voice, self.default_voice)
        if isinstance(given, Mapping):
            given = _own_voice(given)
        return fields.word("voice", given), None

    def own_voice(self, voice_id: str) -> str:
        """See `complete_voice`."""
        return _own_voice({"id": voice_id})

    def complete_options(self, request: SpeechRequest) -> dict[str, Any]:
        """`extra_body`: further fields of another server, such as {"lang_code": "b"}."""
        found = super().complete_options(request)
        extra = found["extra_body"]
        if not isinstance(extra, dict) or not all(isinstance(name, str) for name in extra):
            raise InvalidSpeechRequest("options.extra_body", "must be a dict with str names")
        if ours := sorted({"input", *_SENT} & set(extra)):
            raise InvalidSpeechRequest("options.extra_body", f"must not hold {', '.join(ours)}")
        return found | {"extra_body": fields.plain("options.extra_body", extra)}

    # The call

    def call(self, request: SpeechRequest) -> HttpCall:
        """All that changes the sound is sent; `instructions` where there are any."""
        voice = request.voice or ""
        own = {"id": voice.removeprefix(OWN_VOICE)}
        body: dict[str, Any] = {
            "model": request.model,
            "input": request.text,
            "voice": own if _OWN.fullmatch(voice) else voice,
            "response_format": request.audio_format,
            "speed": request.speed,
        }
        if request.instructions:
            body["instructions"] = request.instructions
        key = self.config.api_key
        return HttpCall(
            url=f"{self.base_url}/audio/speech",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            json=request.options["extra_body"] | body,
        )

    def error_words(self, body: dict[str, Any]) -> Iterable[str]:
        """`{"error": {"code": ..., "type": ...}}`."""
        error = body.get("error")
        return words_in(error.get("code"), error.get("type")) if isinstance(error, dict) else []


_SENT: Final = ("model", "voice", "response_format", "speed", "instructions", "stream_format")


def _own_voice(given: Mapping[str, object]) -> str:
    name = given.get("id")
    if set(given) != {"id"} or not isinstance(name, str) or not _OWN.fullmatch(OWN_VOICE + name):
        raise InvalidSpeechRequest("voice", 'must be a name or {"id": ...}')
    return OWN_VOICE + name
