"""/livez and /readyz."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, RequestFactory

from audiocache import CacheConfig, MultiTierAudioCache, draining
from audiocache.exceptions import TierUnavailable
from tests.audiocache.conftest import server_url
from tests.tts.doubles import StubProvider
from tts import health
from tts.conf import TTSConfig
from tts.exceptions import QuotaSpent, RateLimited
from tts.limits import CallLimits
from tts.service import TTSService, set_tts_service
from tts.speech import SpeechRequest

DATABASES = ["default", "audiocache"]


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    draining._process.after_fork()  # a test of servers may have ended this process, as it were
    health._check_migrations.cache_clear()
    yield
    draining._process.after_fork()
    health._check_migrations.cache_clear()


def readyz() -> tuple[int, Any]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_livez_touches_nothing() -> None:
    """No database is allowed in this test."""
    response = health.livez(RequestFactory().get("/livez"))
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db(databases=DATABASES)
def test_ready(installed: TTSService) -> None:
    assert readyz() == (200, {"ready": True, "unready": [], "troubles": []})


@pytest.mark.django_db(databases=DATABASES)
def test_missing_migrations(installed: TTSService) -> None:
    MigrationRecorder(connections["default"]).record_unapplied("tts", "0002_api_key")
    status, told = readyz()
    assert (status, told["ready"], told["unready"]) == (503, False, ["migrations default"])
    MigrationRecorder(connections["default"]).record_applied("tts", "0002_api_key")
    assert readyz()[0] == 200


@pytest.mark.django_db(databases=DATABASES)
def test_draining(installed: TTSService) -> None:
    assert readyz()[0] == 200
    draining.drain()
    assert readyz() == (503, {"ready": False, "unready": ["draining"], "troubles": []})


@pytest.mark.django_db(databases=DATABASES)
def test_a_tier_in_trouble_is_named(installed: TTSService) -> None:
    [rung] = installed.cache.ladder.rungs
    rung.circuit.failed(TierUnavailable("it is gone"))
    assert readyz() == (200, {"ready": True, "unready": [], "troubles": ["memory"]})


@pytest.mark.django_db(databases=DATABASES)
def test_a_provider_in_trouble_is_named(installed: TTSService, provider: StubProvider) -> None:
    provider.error = QuotaSpent("it is spent")
    with pytest.raises(QuotaSpent):
        installed.synthesize_sync(SpeechRequest("Hello."))
    assert readyz() == (200, {"ready": True, "unready": [], "troubles": ["stub quota_spent"]})


@pytest.mark.django_db(databases=DATABASES)
def test_a_provider_that_asked_to_wait_is_named(
    installed: TTSService, provider: StubProvider
) -> None:
    """Its breaker is closed after one answer, and yet it is not called."""
    provider.error = RateLimited("too many", status=429, retry_after=77.0)
    with pytest.raises(RateLimited):
        installed.synthesize_sync(SpeechRequest("Hello."))
    assert readyz() == (200, {"ready": True, "unready": [], "troubles": ["stub paused"]})


@pytest.mark.django_db(databases=DATABASES)
def test_what_another_process_was_asked_is_named(provider: StubProvider) -> None:
    """What it learnt lies in Redis or the database; nobody has asked here."""
    config = CacheConfig(backend="redis", redis_url=server_url(), redis_prefix=uuid4().hex)
    with closing(MultiTierAudioCache(config)) as cache:
        former = set_tts_service(TTSService(TTSConfig(), cache=cache, provider=provider))
        assert readyz()[1]["troubles"] == []
        other = CallLimits(StubProvider(TTSConfig()), None, cache.places)
        other.heed(RateLimited("too many", status=429, retry_after=77.0))
        assert readyz()[1]["troubles"] == ["stub paused"]
        set_tts_service(former)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
@pytest.mark.django_db(databases=DATABASES)
def test_a_database_that_is_away_is_named(
    installed: TTSService, error: type[DatabaseError | InterfaceError]
) -> None:
    def fail(*_: Any) -> Any:
        raise error("it is away")

    connection = connections["default"]
    with connection.execute_wrapper(fail):
        status, told = readyz()
    assert (status, told["troubles"]) == (200, ["database default"])
