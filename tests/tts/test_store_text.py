"""CACHE_STORE_TEXT=false: what a provider's options say is nowhere in clear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache
from tests.tts.databases import ALIASES
from tests.tts.vendors import elevenlabs, openai
from tests.tts.vendors.server import Reply, Server
from tts import retry
from tts.conf import TTSConfig
from tts.exceptions import NotAudio
from tts.management.explain import explained
from tts.service import TTSService
from tts.speech import SpeechRequest

VENDORS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "elevenlabs": (
        elevenlabs,
        {"options": {"previous_text": "Mister Kabeljau owes us.", "next_text": "Kabeljau!"}},
        {},
    ),
    "openai": (
        openai,
        {
            "options": {"extra_body": {"lang_code": "as Kabeljau speaks"}},
            "instructions": "Speak of Kabeljau.",
        },
        {"model": "tts-1"},
    ),
}


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def redis_url() -> str:
    url: str = getattr(django_settings, "TEST_REDIS_URL")  # noqa: B009 - not a setting of the site
    return url


@pytest.fixture
def kept(alias: str, redis_url: str, settings: Any) -> Iterator[MultiTierAudioCache]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": alias}
    config = CacheConfig(
        persistent_database=alias,
        redis_url=redis_url,
        redis_prefix=f"store-text-{alias}",
        store_text=False,
    )
    cache = MultiTierAudioCache(config)
    yield cache
    cache.clear()
    cache.close()


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_option_stands_in_clear_in_a_row_or_an_envelope(
    vendor: str, kept: MultiTierAudioCache, alias: str, redis_url: str
) -> None:
    module, fields, config = VENDORS[vendor]
    with module.server() as server, retry.without_waits():
        service = speaking(server, vendor, kept, config)
        request = SpeechRequest("He lives here.", **fields)
        made = service.synthesize_sync(request)
        server.next += [Reply(200, b'{"echo": "no, Kabeljau"}')] * 2
        with pytest.raises(NotAudio):
            service.synthesize_sync(SpeechRequest("He lives there.", **fields))
        kept.tiers["memory"].clear()
        found = service.synthesize_sync(request)
        assert (found.tier, found.key) == ("persistent", made.key)
        other = service.complete(SpeechRequest("He lives here.", voice=another(vendor), **fields))
        [near] = explained(service, other, other.clip())["near_misses"]
        assert set(near["differs"]) == {"voice"}
        service.close()
    assert "Kabeljau" not in "".join([*rows(alias), *envelopes(redis_url, f"store-text-{alias}")])


def speaking(
    server: Server, vendor: str, cache: MultiTierAudioCache, config: dict[str, Any]
) -> TTSService:
    key = VENDORS[vendor][0].KEY
    url = server.url + ("/v1" if vendor == "openai" else "")
    given = TTSConfig(provider=vendor, api_key=key, base_url=url, timeout=20, **config)
    return TTSService(given, cache=cache)


def another(vendor: str) -> str:
    return {"elevenlabs": "21m00Tcm4TlvDq8ikWAM", "openai": "nova"}[vendor]


def rows(alias: str) -> Iterator[str]:
    with connections[alias].cursor() as cursor:
        for table in ("audiocache_entry", "audiocache_refused"):
            cursor.execute(f"SELECT * FROM {table}")
            found = cursor.fetchall()
            assert found
            yield from map(str, found)


def envelopes(url: str, prefix: str) -> Iterator[str]:
    with redis.Redis.from_url(url) as client:
        keys = [key for key in client.scan_iter(f"*{prefix}*") if client.type(key) == b"string"]
        values = [value for key in keys if (value := client.get(key))]
    assert any(len(value) > 1000 for value in values)
    yield from map(str, values)
