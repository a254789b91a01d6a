"""The providers by name. Any other is named by its dotted path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.core.exceptions import ImproperlyConfigured

from audiocache import dotted_path

if TYPE_CHECKING:
    from tts.conf import TTSConfig
    from tts.providers.base import Provider

PROVIDERS: Final = {
    "azure": "tts.providers.azure.AzureProvider",
    "elevenlabs": "tts.providers.elevenlabs.ElevenLabsProvider",
    "espeak": "tts.providers.espeak.EspeakProvider",
    "google": "tts.providers.google.GoogleProvider",
    "openai": "tts.providers.openai.OpenAIProvider",
    "polly": "tts.providers.polly.PollyProvider",
    "tone": "tts.providers.tone.ToneProvider",
}
"""Dotted path by name. A module is imported when it is used: it may need an extra."""


def provider_class(name: str) -> type[Provider]:
    """The class of a name or dotted path. Raises ImproperlyConfigured that says what exists."""
    from tts.providers.base import Provider

    try:
        found = dotted_path.named(PROVIDERS.get(name, name))
    except ImportError as error:
        if name in PROVIDERS:
            raise
        raise ImproperlyConfigured(_unknown(name, str(error))) from error
    if not (isinstance(found, type) and issubclass(found, Provider)):
        raise ImproperlyConfigured(_unknown(name, f"{name} is not a Provider class"))
    return found


def build_provider(config: TTSConfig) -> Provider:
    """The provider that a configuration chooses. Connects to nothing.

    Raises ImproperlyConfigured; one that is MissingExtra names the pip command.
    """
    chosen = provider_class(config.chosen_provider)
    chosen.require_extra()
    return chosen(config)


def _unknown(name: str, reason: str) -> str:
    known = ", ".join(PROVIDERS)
    if "." not in name:
        return f"TTS_PROVIDER: there is no provider {name!r}; use {known} or a dotted path"
    return f"TTS_PROVIDER: {reason}; use {known} or the dotted path of a Provider class"
