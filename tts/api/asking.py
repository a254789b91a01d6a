"""From a body that is right to what the service is asked: names of ours for names of theirs."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

from tts.api.exceptions import UnknownModel, WrongBody
from tts.api.schema import EVENTS, check
from tts.format_names import format_named
from tts.providers.base import Provider
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.transcoding import is_made_here

PCM: Final = "pcm"
PCM_RATE: Final = 24_000
"""Hz."""
PCM_24K: Final = f"pcm_{PCM_RATE}"


class Asked(NamedTuple):
    """What a client wants to hear, and how it wants to be told."""

    request: SpeechRequest
    as_events: bool

    @classmethod
    def of(cls, body: Any, service: TTSService) -> Self:
        """Raises WrongBody and UnknownModel."""
        check(body)
        request = SpeechRequest(
            body["input"],
            model=_model(service, body["model"]),
            voice=_voice(service, body["voice"]),
            audio_format=rendition(service, body.get("response_format", "mp3")),
            speed=body.get("speed"),
            instructions=body.get("instructions"),
        )
        return cls(request, body.get("stream_format") == EVENTS)


def models_of(service: TTSService) -> list[str]:
    """Names that a client may give; the provider's own name stands for its default."""
    provider, config = service.provider, service.config
    own = provider.models() or [name for name in (config.model, provider.default_model) if name]
    return list(dict.fromkeys([*own, *config.model_names] or [provider.name]))


def rendition(service: TTSService, response_format: str) -> str:
    """Our name of a format: the provider's where it sends it, else one that is made here.

    Raises WrongBody.
    """
    provider = service.provider
    found = format_named(response_format, provider, service.config)
    if response_format == PCM:
        found = _samples(provider, found)
    if found is None:
        raise WrongBody(
            f"Invalid 'response_format': {provider.name} makes {', '.join(provider.formats)}.",
            "response_format",
            "unsupported_format",
        )
    return found


def _samples(provider: Provider, found: str | None) -> str | None:
    """Samples do not say their rate, and OpenAI's have 24 kHz; else whatever there is."""
    if PCM_24K in provider.formats:
        return PCM_24K
    if found == PCM and provider.sample_rates[:1] == (PCM_RATE,):
        return PCM
    return PCM_24K if is_made_here(PCM_24K) else found


def _model(service: TTSService, name: str) -> str | None:
    provider, aliases = service.provider, service.config.model_names
    if name in aliases:
        return aliases[name] or None
    if (known := provider.models()) and name not in known:
        near = ", ".join(models_of(service)[:12])
        raise UnknownModel(f"The model does not exist here; there are {near}.", "model")
    return name if known or name != provider.name else None


def _voice(service: TTSService, voice: str | dict[str, str]) -> str | None:
    if isinstance(voice, dict):
        return service.provider.own_voice(voice["id"])
    return service.config.voice_names.get(voice, voice) or None
