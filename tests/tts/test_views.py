"""What an address plays, and what it tells when there is nothing to play."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from typing import Any

import pytest
from django.test import AsyncRequestFactory, Client

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.entries import Recording
from tests.factories import HOUR, FakeClock
from tests.tts.doubles import LocalStub, StubProvider
from tts import views
from tts.addresses import name_of, url_of
from tts.conf import TTSConfig
from tts.exceptions import BudgetSpent, ProviderDown, QuotaSpent, RateLimited
from tts.service import TTSService, set_tts_service
from tts.speech import SpeechRequest

SECRET = "The quick brown secret"
HELLO = SpeechRequest(SECRET)


@pytest.fixture
def provider() -> LocalStub:
    """Which is not asked again."""
    return LocalStub(TTSConfig())


def test_it_is_made_at_its_first_play(installed: TTSService, provider: StubProvider) -> None:
    url = url_of(installed, HELLO)
    assert not provider.calls
    first, second = Client().get(url), Client().get(url)
    assert first.content == second.content == installed.synthesize_sync(HELLO).audio
    assert first["Cache-Status"] == "audiocache; fwd=uri-miss; stored"
    assert second["Cache-Status"].startswith("audiocache; hit; ttl=86")
    assert second["Content-Disposition"].startswith("inline")
    assert len(provider.calls) == 1


def test_a_tenant_s_clip_is_his_own_and_is_kept_by_no_proxy(
    installed: TTSService, provider: StubProvider
) -> None:
    installed.synthesize_sync(HELLO)
    response = Client().get(url_of(installed, HELLO, namespace="tenant"))
    assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    assert len(provider.calls) == 2


def test_no_browser_keeps_it_beyond_its_time(installed: TTSService) -> None:
    url = url_of(installed, HELLO, expires_in=60)
    [scope, age, _] = Client().get(url)["Cache-Control"].split(", ")
    assert scope == "public"
    assert 50 <= int(age.removeprefix("max-age=")) <= 68


def test_after_its_time_it_is_not_found(installed: TTSService) -> None:
    complete = installed.complete(HELLO)
    name = name_of(complete, "wav", until=int(time.time()) - 1)
    assert Client().get(f"/audio/{name}.wav").status_code == 404


def test_an_address_of_another_provider_is_not_found(installed: TTSService) -> None:
    other = dataclasses.replace(installed.complete(HELLO), provider="other").completed()
    name = name_of(other, "wav")
    assert Client().get(f"/audio/{name}.wav").status_code == 404


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (ProviderDown(f"it said {SECRET}", status=503), 503, None),
        (RateLimited("too many", retry_after=6.6), 503, "7"),
        (QuotaSpent(f"no more for {SECRET}"), 503, None),
        (BudgetSpent("it is spent", retry_after=59.2), 503, "60"),
    ],
)
def test_a_provider_in_trouble(
    installed: TTSService,
    provider: StubProvider,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    retry_after: str | None,
) -> None:
    provider.error = error
    with caplog.at_level(logging.DEBUG):
        response = Client().get(url_of(installed, HELLO))
    assert (response.status_code, response.headers.get("Retry-After")) == (status, retry_after)
    assert (response.content, response["Cache-Control"]) == (b"", "no-store")
    assert SECRET not in caplog.text


def test_too_late(installed: TTSService, cache: MultiTierAudioCache) -> None:
    provider = StubProvider(TTSConfig())
    provider.seconds = 0.3
    set_tts_service(TTSService(TTSConfig(timeout=0.1), cache=cache, provider=provider))
    assert Client().get(url_of(installed, HELLO)).status_code == 504


def test_what_stood_in_is_asked_for_again(provider: StubProvider, installed: TTSService) -> None:
    """An older clip is played while the provider fails, and is kept by no browser."""
    config = CacheConfig(backend="memory", ttl_hours=1, stale_if_error_hours=24)
    clock = FakeClock()
    cache = MultiTierAudioCache(config, clock=clock)
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    set_tts_service(service)
    url = url_of(service, HELLO)
    Client().get(url)
    clock.now += 2 * HOUR
    provider.error = ProviderDown("it is down")
    response = Client().get(url)
    assert response["Cache-Status"] == "audiocache; fwd=stale; detail=stale-if-error"
    assert (response.status_code, response["Cache-Control"]) == (200, "no-cache")
    cache.close()


def test_switched_off(installed: TTSService, provider: StubProvider) -> None:
    url = url_of(installed, HELLO)
    off = TTSService(TTSConfig(enabled=False), cache=installed.cache, provider=provider)
    set_tts_service(off)
    assert Client().get(url).status_code == 503


def test_what_is_no_audio_is_no_page(installed: TTSService, provider: StubProvider) -> None:
    clip = installed.complete(HELLO).clip()
    installed.cache.store(clip, Recording(audio=b"<script>", content_type="text/html"))
    response: Any = Client().get(url_of(installed, HELLO))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment")


def test_nobody_has_any_of_what_was_not_there(
    installed: TTSService, provider: StubProvider
) -> None:
    """RFC 9110, section 13.1.2: `*` fails where there is a representation, and there was none."""
    url, any_of_it = url_of(installed, HELLO), {"If-None-Match": "*"}
    first, second = (Client().get(url, headers=any_of_it) for _ in range(2))
    assert (first.status_code, first["Cache-Status"]) == (200, "audiocache; fwd=uri-miss; stored")
    assert first.content == installed.synthesize_sync(HELLO).audio
    assert (second.status_code, second["ETag"]) == (304, first["ETag"])
    assert second["Cache-Status"].startswith("audiocache; hit")
    assert len(provider.calls) == 1


# Under ASGI


def aget(url: str, method: str = "get", **headers: str) -> Any:
    request = getattr(AsyncRequestFactory(), method)(url, headers=headers)
    name, extension = url.removeprefix("/audio/").rsplit(".", 1)
    return asyncio.run(views.aaudio(request, name, extension))


def test_the_asynchronous_view_plays_in_parts(
    installed: TTSService, provider: StubProvider
) -> None:
    url = url_of(installed, HELLO)
    unmade = aget(url, "head")
    assert (unmade.status_code, unmade.streaming, len(provider.calls)) == (200, True, 0)
    assert aget(url, **{"Cache-Control": "only-if-cached"}).status_code == 504
    first, part = aget(url), aget(url, Range="bytes=-4")
    assert first["Cache-Status"] == "audiocache; fwd=uri-miss; stored"
    assert (part.status_code, part.content) == (206, first.content[-4:])
    assert aget(url, "head")["ETag"] == first["ETag"]
    assert len(provider.calls) == 1


def test_the_asynchronous_view_tells_what_is_wrong(
    installed: TTSService, provider: StubProvider
) -> None:
    url = url_of(installed, HELLO)
    provider.error = RateLimited("too many", retry_after=6.6)
    assert (aget(url).status_code, aget(url)["Retry-After"]) == (503, "7")
    assert aget(url.replace(".wav", ".mp3")).status_code == 404
    assert aget(url, "post").status_code == 405
