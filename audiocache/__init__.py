"""A multi-tier cache for audio clips, as a reusable Django app."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audiocache.builder import get_audio_cache, initialize_audio_cache
    from audiocache.cache import MultiTierAudioCache
    from audiocache.conf import CacheConfig
    from audiocache.entries import FOREVER, AudioEntry, Clip, Recording

__version__ = "0.1.0"

__all__ = [
    "FOREVER",
    "AudioEntry",
    "CacheConfig",
    "Clip",
    "MultiTierAudioCache",
    "Recording",
    "get_audio_cache",
    "initialize_audio_cache",
]

# Imported when asked for: importing the app must not import its models before Django is set up.
_HOMES = {
    "FOREVER": "entries",
    "AudioEntry": "entries",
    "CacheConfig": "conf",
    "Clip": "entries",
    "MultiTierAudioCache": "cache",
    "Recording": "entries",
    "get_audio_cache": "builder",
    "initialize_audio_cache": "builder",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
