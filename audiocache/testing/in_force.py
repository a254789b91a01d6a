"""The overrides in force, and what they stand in for."""

from __future__ import annotations

import dataclasses
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings
from django.core.signals import setting_changed

from audiocache.builder import replace_audio_cache
from audiocache.testing.calls import SpeechCalls
from audiocache.testing.provider import provider_for

if TYPE_CHECKING:
    from tts.conf import TTSConfig
    from tts.providers.base import Provider

WATCHED: Final = ("AUDIOCACHE", "CACHES", "DATABASES", "DEBUG", "TTS")
"""Settings after whose change the process would make its cache and service anew."""


class Overrides:
    """A stack: the innermost is in force, also when settings change."""

    def __init__(self) -> None:
        self._stack: list[SpeechCalls] = []
        self._former: _Former | None = None
        self._lock = threading.RLock()

    def enter(self, calls: SpeechCalls) -> None:
        """Put these in the place of what is there. Raises ImproperlyConfigured, with no effect."""
        with self._lock:
            self._serve(calls)
            self._stack.append(calls)
            if self._former is None:
                self._former = _Former(self)
                # After those of the apps, which give up cache and service.
                setting_changed.connect(self.on_setting_changed)
            self._install()

    def leave(self, calls: SpeechCalls) -> None:
        """Put back what was there, whichever of the others has been left before."""
        with self._lock:
            self._stack.remove(calls)
            if self._stack:
                self._install()
            elif self._former is not None:
                setting_changed.disconnect(self.on_setting_changed)
                former, self._former = self._former, None
                former.restore()

    def innermost(self) -> SpeechCalls:
        """Those in force. Raises RuntimeError when there are none."""
        with self._lock:
            if self._stack:
                return self._stack[-1]
        raise RuntimeError(
            "A TTSService that spoke first inside override_speech() is used after its end: "
            "call get_tts_service() where you speak, or make the service there"
        )

    def provider(self, config: TTSConfig) -> Provider:
        """In place of `build_provider`: for services that the tested code makes by itself."""
        return provider_for(config, self.innermost)

    def on_setting_changed(self, *, setting: str, **_: Any) -> None:
        """The override stays, with its calls and entries; it follows the settings."""
        with self._lock:
            if setting in WATCHED and self._stack:
                self._install()
                for calls in self._stack:
                    calls.cache.reload()
                    self._serve(calls)
                self._install()

    def _serve(self, calls: SpeechCalls) -> None:
        """Give the calls a service with the settings of this moment."""
        if (tts := tts_service()) is None:
            return
        # No other provider speaks in the place of a failure that a test has ordered.
        config = dataclasses.replace(tts.TTSConfig.load(), fallbacks=())
        calls.service = tts.TTSService(
            config, cache=calls.cache, provider=provider_for(config, lambda: calls)
        )

    def _install(self) -> None:
        calls = self._stack[-1]
        replace_audio_cache(calls.cache)
        if (tts := tts_service()) is not None:
            tts.set_tts_service(calls.service)


class _Former:
    """What the process had before; it is taken away when this is made."""

    def __init__(self, overrides: Overrides) -> None:
        self._settings = _watched()
        self._cache = replace_audio_cache(None)
        self._tts = tts_service()
        if self._tts is not None:
            self._service = self._tts.set_tts_service(None)
            self._build_provider = self._tts.build_provider
            self._tts.build_provider = overrides.provider

    def restore(self) -> None:
        """All as it was; what was made from settings that are others now is given up."""
        unchanged = _watched() == self._settings
        replace_audio_cache(self._cache if unchanged else None)
        if self._tts is not None:
            self._tts.build_provider = self._build_provider
            self._tts.set_tts_service(self._service if unchanged else None)
        if self._cache is not None and not unchanged:
            self._cache.close()


def tts_service() -> Any:
    """The module `tts.service`; None where the package or its extra is not installed."""
    try:
        return import_module("tts.service")
    except ImportError:
        if apps.is_installed("tts"):
            raise
        return None


def _watched() -> list[Any]:
    return [getattr(settings, name, None) for name in WATCHED]


overrides: Final = Overrides()
