"""TTSService: the straight line from a request to its speech.

request -> complete -> clip -> cache -> (miss) one flight -> provider -> admission -> stored
When the provider fails: -> an older clip, else -> the fallbacks
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any, Unpack

from django.core.exceptions import ImproperlyConfigured

from audiocache.cache import MultiTierAudioCache
from audiocache.entries import Clip, Recording
from audiocache.fields import as_audio
from audiocache.forks import RenewedLock
from audiocache.verbs import Pairs
from tts.building import built
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import SpeechNotConfigured
from tts.fallback import Asked, Fallbacks
from tts.outages import FAILURES
from tts.providers import build_provider
from tts.providers.base import Provider
from tts.speaker import Speaker
from tts.speech import Speech, SpeechFields, SpeechRequest
from tts.streaming import AsyncSpeechStream, SpeechStream
from tts.tracing import traced
from tts.wanted import Wanted

logger = logging.getLogger(__name__)

Tags = Iterable[str]
"""By which clips are removed together, such as those of one person: a list, tuple or set."""


class TTSService(Speaker):
    """Text to speech through the cache. Safe under threads and tasks.

    All that speaks raises InvalidSpeechRequest, SpeechNotConfigured, SpeechTimeout, NotCached
    or a ProviderError.
    """

    def __init__(
        self,
        config: TTSConfig | None = None,
        *,
        cache: MultiTierAudioCache | None = None,
        provider: Provider | None = None,
    ) -> None:
        super().__init__()
        self.config = TTSConfig.load() if config is None else config
        self.patience = self.config.patience
        """Seconds for which a caller waits before he turns to the fallbacks."""
        self._cache = cache
        if provider is not None:
            self.provider = provider

    @built
    def provider(self) -> Provider:
        """The chosen provider, built at first use. Raises ImproperlyConfigured."""
        return build_provider(self.config)

    @built
    def fallbacks(self) -> Fallbacks:
        """The other providers, each before the same cache."""
        configs = map(self.config.with_fallback, self.config.fallbacks)
        services = [TTSService(config, cache=self._cache) for config in configs]
        for number, service in enumerate(services):
            service.after = [self, *services[:number]]
        return Fallbacks(self, services)

    @property
    def cache(self) -> MultiTierAudioCache:
        """The cache given, else the one of the process."""
        return self._cache or _process_cache()

    # Speaking

    @traced
    async def synthesize(
        self, request: SpeechRequest, *, namespace: str = "", tags: Tags = ()
    ) -> Speech:
        """The speech of a request; a caller who leaves does not stop what was begun.

        `tags` are kept with the clip, beside those it has: it can be removed by each of them.
        """
        began = time.monotonic()
        prepared = self.prepared(request, namespace, tags)
        try:
            return Speech(await self.find_or_make(prepared, self.patience))
        except FAILURES as error:
            if not self.fallbacks.may_answer(request, error):
                raise
            until = Deadline(began + self.config.timeout)
            asked = Asked(request, prepared, namespace, until)
            return await self.fallbacks.aspeak(asked, error)

    @traced
    def synthesize_sync(
        self, request: SpeechRequest, *, namespace: str = "", tags: Tags = ()
    ) -> Speech:
        """See `synthesize`."""
        began = time.monotonic()
        prepared = self.prepared(request, namespace, tags)
        try:
            return Speech(self.find_or_make_sync(prepared, self.patience))
        except FAILURES as error:
            if not self.fallbacks.may_answer(request, error):
                raise
            until = Deadline(began + self.config.timeout)
            return self.fallbacks.speak(Asked(request, prepared, namespace, until), error)

    async def synthesize_text(
        self, text: str, *, namespace: str = "", tags: Tags = (), **how: Unpack[SpeechFields]
    ) -> bytes:
        """The audio of a text; what is not given is the provider's or the settings' default."""
        request = SpeechRequest(text, **how)
        return (await self.synthesize(request, namespace=namespace, tags=tags)).audio

    def synthesize_text_sync(
        self, text: str, *, namespace: str = "", tags: Tags = (), **how: Unpack[SpeechFields]
    ) -> bytes:
        """See `synthesize_text`."""
        request = SpeechRequest(text, **how)
        return self.synthesize_sync(request, namespace=namespace, tags=tags).audio

    def stream(
        self, request: SpeechRequest, *, namespace: str = "", tags: Tags = ()
    ) -> AsyncSpeechStream:
        """The audio in pieces, for `async for`: heard as the provider sends it.

        Who asks meanwhile hears it from the beginning. It is stored when it has ended well,
        also when the listener has left.
        """
        return AsyncSpeechStream(self._wanted(request, namespace, tags))

    def stream_sync(
        self, request: SpeechRequest, *, namespace: str = "", tags: Tags = ()
    ) -> SpeechStream:
        """See `stream`; for `for`."""
        return SpeechStream(self._wanted(request, namespace, tags))

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

    def get_provider_stats(self) -> list[dict[str, Any]]:
        """Of this process, the provider first and then its fallbacks; see docs/outages.md."""
        return [service.outages.snapshot() for service in self._enabled()]

    def paused_providers(self) -> list[str]:
        """Names of those that asked all processes to wait, and are not called until then."""
        return [one.provider.name for one in self._enabled() if one.limits.pause]

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
        if "fallbacks" in self.__dict__:
            self.fallbacks.close()

    # Inside

    def _enabled(self) -> Iterator[TTSService]:
        return (one for one in (self, *self.fallbacks.services) if one.is_enabled())

    def _wanted(self, request: SpeechRequest, namespace: str, tags: Tags) -> Wanted:
        return Wanted(self, request, self.prepared(request, namespace, tags), namespace)

    def _recorded(self, pairs: Pairs, namespace: str) -> Iterator[tuple[Clip, Recording]]:
        items = pairs.items() if hasattr(pairs, "items") else pairs
        for text, audio in items:
            clip = self.complete(SpeechRequest(text)).clip(namespace)
            yield clip, Recording(audio=as_audio(audio))


def _process_cache() -> MultiTierAudioCache:
    # From where it is: `audiocache` itself looks for it each time, at every hit.
    from audiocache.builder import get_audio_cache

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
    concerns = setting in {"TTS", "AUDIOCACHE", "CACHES", "DATABASES", "DEBUG"}
    if concerns and (former := set_tts_service(None)):
        former.close()
