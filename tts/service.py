"""TTSService: the straight line from a request to its speech.

request -> complete -> clip -> cache -> (miss) one flight -> provider -> admission -> stored
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Clip, Recording, as_audio
from audiocache.exceptions import WaitExpired
from audiocache.forks import RenewedLock
from audiocache.sharing import Sharing
from audiocache.verbs import Pairs
from tts.conf import TTSConfig
from tts.exceptions import SpeechNotConfigured, SpeechTimeout
from tts.making import make
from tts.prepared import Prepared, PreparedRequests
from tts.providers import build_provider
from tts.providers.base import Provider
from tts.quarantine import Limits
from tts.sharing import sharing_of
from tts.speech import Speech, SpeechRequest

logger = logging.getLogger(__name__)

Make = Callable[[], Recording]


class TTSService:
    """Text to speech through the cache. Safe under threads and tasks.

    All that speaks raises InvalidSpeechRequest, SpeechNotConfigured, SpeechTimeout or a
    ProviderError.
    """

    def __init__(
        self,
        config: TTSConfig | None = None,
        *,
        cache: MultiTierAudioCache | None = None,
        provider: Provider | None = None,
    ) -> None:
        self.config = TTSConfig.load() if config is None else config
        self._cache = cache
        self._prepared = PreparedRequests(self.complete)
        if provider is not None:
            self.provider = provider

    @cached_property
    def provider(self) -> Provider:
        """The chosen provider, built at first use. Raises ImproperlyConfigured."""
        return build_provider(self.config)

    @property
    def cache(self) -> MultiTierAudioCache:
        """The cache given, else the one of the process."""
        return self._cache or _process_cache()

    # Speaking

    async def synthesize(self, request: SpeechRequest, *, namespace: str = "") -> Speech:
        """The speech of a request; a caller who leaves does not stop what was begun."""
        return Speech(await self._find_or_make(request, namespace))

    def synthesize_sync(self, request: SpeechRequest, *, namespace: str = "") -> Speech:
        """See `synthesize`."""
        return Speech(self._find_or_make_sync(request, namespace))

    async def synthesize_text(
        self,
        text: str,
        *,
        voice: str | None = None,
        model: str | None = None,
        audio_format: str | None = None,
        speed: float | None = None,
        language: str | None = None,
        instructions: str | None = None,
        ssml: bool = False,
        namespace: str = "",
    ) -> bytes:
        """The audio of a text; what is None is the provider's or the settings' default."""
        request = SpeechRequest(
            text, voice, model, audio_format, speed, language, instructions, ssml
        )
        return (await self._find_or_make(request, namespace)).audio

    def synthesize_text_sync(
        self,
        text: str,
        *,
        voice: str | None = None,
        model: str | None = None,
        audio_format: str | None = None,
        speed: float | None = None,
        language: str | None = None,
        instructions: str | None = None,
        ssml: bool = False,
        namespace: str = "",
    ) -> bytes:
        """See `synthesize_text`."""
        request = SpeechRequest(
            text, voice, model, audio_format, speed, language, instructions, ssml
        )
        return self._find_or_make_sync(request, namespace).audio

    def complete(self, request: SpeechRequest) -> SpeechRequest:
        """The request with every field filled and checked: it has its keys."""
        if not self.config.enabled:
            raise SpeechNotConfigured("Speech is switched off: TTS_ENABLED is false")
        return self.provider.complete(request)

    # The cache

    def is_enabled(self) -> bool:
        """Is it switched on, with a provider that can be built?"""
        try:
            return self.config.enabled and self.provider is not None
        except ImproperlyConfigured:
            return False

    def warm_cache(self, pairs: Pairs, *, namespace: str = "") -> int:
        """Store (text, audio) pairs as the default speech of each text; how many were stored.

        The audio is taken as it is. 0 when warming is switched off.
        """
        if not self.cache.config.enable_warming:
            return 0
        stored = self.cache.store_many(list(self._recorded(pairs, namespace)))
        return sum(taken > 0 for _, taken in stored)

    def get_cache_stats(self) -> dict[str, Any]:
        """The cache's `get_comprehensive_stats()`."""
        return self.cache.get_comprehensive_stats()

    def clear_cache(self) -> None:
        """Remove every clip from every tier."""
        self.cache.clear()

    def close(self) -> None:
        """Give the provider's connections back; the cache is closed by its owner."""
        if "provider" in self.__dict__:
            self.provider.close()

    # The straight line, once for each way of waiting

    async def _find_or_make(self, request: SpeechRequest, namespace: str) -> AudioEntry:
        clip, make = self._prepare(request, namespace)
        wait = asyncio.timeout(self.config.timeout)
        try:
            async with wait:
                return await self.cache.afind_or_create(clip, make, self._sharing)
        except TimeoutError:
            if not wait.expired():
                raise
            raise self._too_late() from None

    def _find_or_make_sync(self, request: SpeechRequest, namespace: str) -> AudioEntry:
        clip, make = self._prepare(request, namespace)
        if not self.provider.remote:
            return self.cache.find_or_create(clip, make, self._sharing)
        try:
            return self.cache.find_or_begin(clip, make, self.config.timeout, self._sharing)
        except WaitExpired:
            raise self._too_late() from None

    def _prepare(self, request: SpeechRequest, namespace: str) -> tuple[Clip, Make]:
        prepared = self._prepared.of(request, namespace)
        return prepared.clip, lambda: self._make(prepared)

    def _make(self, prepared: Prepared) -> Recording:
        """Ask the provider, unless its answer was refused lately.

        Its time begins now, however long this waited for a thread.
        """

        def make_it() -> Recording:
            return make(self.provider, prepared.request, self.config.timeout)

        if not self.provider.remote:
            return make_it()
        from tts.refusals import refusals_of  # stands on the models

        return refusals_of(self.cache, Limits.of(self.config)).guarded(prepared.clip, make_it)

    @cached_property
    def _sharing(self) -> Sharing:
        return sharing_of(remote=self.provider.remote, timeout=self.config.timeout)

    def _too_late(self) -> SpeechTimeout:
        return SpeechTimeout(
            f"no speech within TTS_TIMEOUT ({self.config.timeout} s); it is stored when it comes"
        )

    def _recorded(self, pairs: Pairs, namespace: str) -> Iterator[tuple[Clip, Recording]]:
        items = pairs.items() if hasattr(pairs, "items") else pairs
        for text, audio in items:
            clip = self.complete(SpeechRequest(text)).clip(namespace)
            yield clip, Recording(audio=as_audio(audio))


def _process_cache() -> MultiTierAudioCache:
    from audiocache import get_audio_cache

    return get_audio_cache()


class _Process:
    """The service of the process, and the lock under which it is made."""

    service: TTSService | None = None
    lock = RenewedLock()


def get_tts_service() -> TTSService:
    """The service of the process, made from settings and environment at first use."""
    if (service := _Process.service) is not None:
        return service
    with _Process.lock:
        if _Process.service is None:
            _Process.service = TTSService()
        return _Process.service


def set_tts_service(service: TTSService | None) -> TTSService | None:
    """Put another service in its place, for tests; None: made anew at next use. The former."""
    with _Process.lock:
        former, _Process.service = _Process.service, service
    return former


def reset_on_change(*, setting: str, **_: Any) -> None:
    """A receiver of `setting_changed`: what was made from the former settings is given up."""
    if setting in {"TTS", "AUDIOCACHE", "DEBUG"} and (former := set_tts_service(None)):
        former.close()
