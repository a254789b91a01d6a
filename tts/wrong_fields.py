"""What a provider finds wrong in settings, all of it: by itself it says one thing at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from tts.conf import TTSConfig
from tts.exceptions import InvalidSpeechRequest
from tts.providers import build_provider
from tts.speech import SpeechRequest

SETTINGS: Final = {
    "audio_format": "TTS_FORMAT",
    "language": "TTS_LANGUAGE",
    "model": "TTS_MODEL",
    "voice": "TTS_VOICE",
    "voice_revision": "TTS_VOICE_REVISION",
}
"""Setting by field of a request; all others are options."""

MOST: Final = 20
"""Faults that are told of one provider."""
ANY_NAME: Final = "x"
"""Stands for a name that has to be given, and of which nothing more is known."""


def wrong_fields(config: TTSConfig) -> Iterator[InvalidSpeechRequest]:
    """Each fault that is left when those before it are put right; one above MOST tells of more.

    `config` builds a provider. Raises the ProviderError of one that cannot speak at all.
    """
    changed: TTSConfig | None = config
    for _ in range(MOST + 1):
        if changed is None or (fault := _fault(changed)) is None:
            return
        yield fault
        changed = _put_right(changed, fault)


def _fault(config: TTSConfig) -> InvalidSpeechRequest | None:
    try:
        build_provider(config).complete(SpeechRequest("."))
    except InvalidSpeechRequest as error:
        return error
    return None


def _put_right(config: TTSConfig, fault: InvalidSpeechRequest) -> TTSConfig | None:
    """With another value of that field; None where no value is known to be right."""
    for other in _others(config, fault.field):
        changed = dataclasses.replace(config, **other)
        left = _fault(changed)
        if left is None or left.args != fault.args:
            return changed
    return None


def _others(config: TTSConfig, field: str) -> Iterator[dict[str, Any]]:
    if field in SETTINGS:
        name = SETTINGS[field].removeprefix(TTSConfig.prefix).lower()
        yield from ({name: None}, {name: ANY_NAME})
    else:
        for wrong in config.options:
            kept = {name: value for name, value in config.options.items() if name != wrong}
            yield {"options": kept}
