"""The earlier cache's module names, for code that still imports them.

After `install()`, `utils.multi_tier_audio_cache` and `utils.tts_service` are found when nothing
else has these names; a `utils` package of the project's own stays what it is. Nothing is
imported before it is asked for.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from operator import attrgetter
from types import ModuleType
from typing import Any, Final

PACKAGE: Final = "utils"
CACHE: Final = "utils.multi_tier_audio_cache"
SPEECH: Final = "utils.tts_service"

LOGGERS: Final = {"audiocache": CACHE, "tts": SPEECH}
"""Ours, and the earlier one that now has its level and handlers."""

ELEVENLABS: Final = "elevenlabs"
# Field today: the earlier name, its environment name, its default.
_FIELDS: Final = {
    "voice": ("voice_id", "TTS_VOICE_ID", "JBFqnCBsd6RMkjVDRZzb"),
    "model": ("model_id", "TTS_MODEL_ID", "eleven_multilingual_v2"),
    "format": ("output_format", "TTS_OUTPUT_FORMAT", "mp3_44100_128"),
}

debug = logging.getLogger(CACHE).debug


def install() -> None:
    """Make the earlier names importable; once is enough, in settings for example."""
    if _finder not in sys.meta_path:
        # The last to be asked: what the project has by these names comes first.
        sys.meta_path.append(_finder)
        for ours, earlier in LOGGERS.items():
            _hang(ours, logging.getLogger(earlier))


def uninstall() -> None:
    """Take all of it back; what was imported from the modules goes on working."""
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in (SPEECH, CACHE, PACKAGE):
        _forget(name)
    _tell("disconnect")
    for ours in LOGGERS:
        _hang(ours, logging.getLogger())


def _forget(name: str) -> None:
    module = sys.modules.get(name)
    if module is None or module.__spec__ is None or module.__spec__.loader is not _loader:
        return
    del sys.modules[name]
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(child, None)


# The modules


class _Finder:
    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name not in _CONTENTS:
            return None
        return ModuleSpec(name, _loader, is_package=name == PACKAGE)


class _Loader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_CONTENTS[module.__name__]())


def _package() -> dict[str, Any]:
    return {}


def _cache() -> dict[str, Any]:
    import audiocache

    names = ("CacheConfig", "MultiTierAudioCache", "get_audio_cache", "initialize_audio_cache")
    _tell("connect")
    return {name: getattr(audiocache, name) for name in names}


def _speech() -> dict[str, Any]:
    # By name: audiocache knows nothing of tts.
    try:
        config: Any = import_module("tts.conf").TTSConfig
        service: Any = import_module("tts.service").TTSService
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"{SPEECH} needs the package tts of django-audiocache ({error}): "
            "pip install 'django-audiocache[tts]'"
        ) from error
    return {"TTSConfig": earlier_config(config), "TTSService": service}


_CONTENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    PACKAGE: _package,
    CACHE: _cache,
    SPEECH: _speech,
}
_finder: Final = _Finder()
_loader: Final = _Loader()


# The earlier TTSConfig


def earlier_config(base: Any) -> Any:
    """A TTSConfig that takes the earlier arguments as well as those of `base`, today's."""

    class TTSConfig(base):  # type: ignore[misc]  # mypy takes no class for a base that is a parameter
        """Given over settings over environment; the earlier defaults with ElevenLabs alone.

        `volume` (0 to 1) and `cache_size` are kept for those who read them and change
        nothing. Raises ValueError, or ImproperlyConfigured that names every wrong value.
        """

        def __init__(
            self,
            api_key: str | None = None,
            voice_id: str | None = None,
            model_id: str | None = None,
            output_format: str | None = None,
            enabled: bool | None = None,
            volume: float = 0.7,
            cache_size: int = 100,
            **today: Any,
        ) -> None:
            earlier = {"voice": voice_id, "model": model_id, "format": output_format}
            given = earlier | {"api_key": api_key, "enabled": enabled} | today
            super().__init__(**_complete(base, given))
            object.__setattr__(self, "volume", _volume(volume))
            object.__setattr__(self, "cache_size", cache_size)

    for field, (name, _, _) in _FIELDS.items():
        setattr(TTSConfig, name, property(attrgetter(field)))
    TTSConfig.__module__, TTSConfig.__qualname__ = SPEECH, "TTSConfig"
    return TTSConfig


def _complete(base: Any, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of today's TTSConfig from what is given, as `TTSConfig.load` finds them."""
    found = base.load(**{name: value for name, value in given.items() if value is not None})
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    if (found.provider or (ELEVENLABS if found.api_key else None)) == ELEVENLABS:
        for name, (_, environment, default) in _FIELDS.items():
            fields[name] = fields[name] or os.environ.get(environment) or default
    return fields


def _volume(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"volume must be a number from 0 to 1, not {value!r}")
    return value


# The earlier loggers


def _hang(name: str, parent: logging.Logger) -> None:
    logger = logging.getLogger(name)
    logger.parent = parent
    # Makes all loggers forget what level they had found.
    logger.setLevel(logger.level)


def _tell(verb: str) -> None:
    """Connect, or disconnect, what is told at the level DEBUG."""
    from audiocache import signals

    for name, receiver in (
        ("entry_stored", _stored),
        ("entry_removed", _removed),
        ("entry_evicted", _evicted),
    ):
        getattr(getattr(signals, name), verb)(receiver)


def _stored(entry: Any, **_: Any) -> None:
    debug("stored key=%s bytes=%d", entry.key, entry.size)


def _removed(keys: Any, field: str, **_: Any) -> None:
    debug("removed keys=%s by=%s", "all" if keys is None else ",".join(keys), field or "key")


def _evicted(tier: str, keys: Any, reason: str, **_: Any) -> None:
    debug("%s tier=%s keys=%s", reason, tier, ",".join(keys))
