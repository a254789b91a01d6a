"""Text to speech through a provider, never paid for twice.

`TTSService` asks the cache, else the provider; `SpeechRequest` says what is asked for and
has the keys; `Speech` is the answer. Nothing is imported before it is used, so that
`from tts import ...` works before Django's apps are loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tts.conf import TTSConfig
    from tts.exceptions import (
        BreakerOpen,
        FinalError,
        InvalidSpeechRequest,
        NotAudio,
        NotCached,
        ProviderError,
        SpeechNotConfigured,
        SpeechTimeout,
        TransientError,
        TTSError,
    )
    from tts.service import TTSService, get_tts_service
    from tts.speech import Speech, SpeechRequest

__all__ = [
    "BreakerOpen",
    "FinalError",
    "InvalidSpeechRequest",
    "NotAudio",
    "NotCached",
    "ProviderError",
    "Speech",
    "SpeechNotConfigured",
    "SpeechRequest",
    "SpeechTimeout",
    "TTSConfig",
    "TTSError",
    "TTSService",
    "TransientError",
    "get_tts_service",
]

_ROOMS: Final = {
    "Speech": "tts.speech",
    "SpeechRequest": "tts.speech",
    "TTSConfig": "tts.conf",
    "TTSService": "tts.service",
    "get_tts_service": "tts.service",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS.get(name, "tts.exceptions")), name)
