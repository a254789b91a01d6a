"""Caches for the tests of speech: memory only, with threads of the cache's own or without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.workers import Inline
from tests.tts.doubles import StubProvider
from tts.conf import TTSConfig
from tts.service import TTSService, set_tts_service


@pytest.fixture
def cache() -> Iterator[MultiTierAudioCache]:
    cache = MultiTierAudioCache(CacheConfig(backend="memory", memory_max_size=10_000))
    yield cache
    cache.close()


@pytest.fixture
def inline_cache() -> MultiTierAudioCache:
    return MultiTierAudioCache(CacheConfig(backend="memory"), executor=Inline())


@pytest.fixture
def provider() -> StubProvider:
    return StubProvider(TTSConfig())


@pytest.fixture
def service(cache: MultiTierAudioCache, provider: StubProvider) -> TTSService:
    return TTSService(TTSConfig(timeout=5), cache=cache, provider=provider)


@pytest.fixture
def installed(service: TTSService) -> Iterator[TTSService]:
    """The service of the process, for what asks for it."""
    former = set_tts_service(service)
    yield service
    set_tts_service(former)
