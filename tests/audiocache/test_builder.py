"""The one cache of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from pytest_django import Settings

from audiocache import (
    CacheConfig,
    MultiTierAudioCache,
    builder,
    finding,
    get_audio_cache,
    history,
    initialize_audio_cache,
    lives,
)
from audiocache.builder import replace_audio_cache
from audiocache.models import AudioCacheEntry

pytestmark = pytest.mark.usefixtures("own_aliases")


@pytest.fixture(autouse=True)
def none_yet(settings: Settings) -> Iterator[None]:
    settings.AUDIOCACHE = {"BACKEND": "memory"}
    before = replace_audio_cache(None)
    yield
    replace_audio_cache(before)


def test_it_is_built_once_from_settings_at_first_use(settings: Settings) -> None:
    settings.AUDIOCACHE = {"BACKEND": "memory", "MEMORY_MAX_SIZE": 7}
    cache = get_audio_cache()
    assert cache.config == CacheConfig.load()
    assert cache.config.memory_max_size == 7
    assert get_audio_cache() is cache


def test_a_configuration_given_makes_it_new() -> None:
    first = get_audio_cache()
    config = CacheConfig(backend="memory", ttl_hours=48)
    second = initialize_audio_cache(config)
    assert second is not first
    assert get_audio_cache() is second
    assert second.config is config
    assert initialize_audio_cache().config == CacheConfig.load()


def test_of_many_threads_that_come_first_all_get_the_same(
    in_threads: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    assert len(set(map(id, in_threads(16, lambda _: get_audio_cache())))) == 1


def test_wrong_settings_are_told_at_first_use(settings: Settings) -> None:
    settings.AUDIOCACHE = {"TTL_HOURS": "long", "BACKEND": "x"}
    with pytest.raises(ImproperlyConfigured, match=r"CACHE_BACKEND: .*CACHE_TTL_HOURS: "):
        get_audio_cache()


@pytest.mark.parametrize("name", ["AUDIOCACHE", "CACHES"])
def test_in_tests_a_changed_setting_makes_it_new(settings: Settings, name: str) -> None:
    before = get_audio_cache()
    before.put("Hello", b"sound")
    setattr(settings, name, {**getattr(settings, name)})
    after = get_audio_cache()
    assert after is not before
    assert after.get("Hello") is None


def test_in_tests_other_settings_leave_it(settings: Settings) -> None:
    before = get_audio_cache()
    settings.LANGUAGE_CODE = "de"
    assert get_audio_cache() is before
    assert builder.replace_audio_cache(None) is before


@pytest.mark.usefixtures("unblocked")
class TestOneDatabase:
    """The verbs, and what people ask of the table by Django's models."""

    @pytest.fixture
    def elsewhere(self, tmp_path: Path) -> Iterator[MultiTierAudioCache]:
        folder = tmp_path / "elsewhere"
        cache = initialize_audio_cache(CacheConfig(backend="sqlite", persistent_path=str(folder)))
        yield cache
        cache.close()
        replace_audio_cache(None)
        connections[finding.ready()].close()

    def test_the_models_mean_the_cache_that_was_initialized(
        self, elsewhere: MultiTierAudioCache, tmp_path: Path
    ) -> None:
        key = elsewhere.put("Hello", b"sound")
        path = str(tmp_path / "elsewhere" / "audio_cache.db")
        assert connections[finding.ready()].settings_dict["NAME"] == path
        assert finding.totals()[0] == 1
        assert lives.pin([key]) == 1
        assert AudioCacheEntry.objects.get(key=key).pinned
        elsewhere.flush()
        assert history.series(["memory.puts"], history.Span.last(1)) == {"memory.puts": [1]}

    def test_they_mean_the_configured_one_again_after_it(
        self, elsewhere: MultiTierAudioCache, tmp_path: Path, settings: Settings
    ) -> None:
        elsewhere.put("Hello", b"sound")
        configured = str(tmp_path / "configured")
        settings.AUDIOCACHE = {"BACKEND": "sqlite", "PERSISTENT_PATH": configured}
        assert Path(connections[finding.ready()].settings_dict["NAME"]).parent == Path(configured)
        assert finding.totals()[0] == 0

    def test_what_is_replaced_has_written_down_what_it_counted_and_holds_nothing(
        self, elsewhere: MultiTierAudioCache, tmp_path: Path
    ) -> None:
        key = elsewhere.put("Hello", b"sound")
        elsewhere.get("Hello")
        alias = finding.ready()
        initialize_audio_cache(CacheConfig(backend="memory"))
        assert connections[alias].connection is None
        assert AudioCacheEntry.objects.using(alias).get(key=key).hits == 1
