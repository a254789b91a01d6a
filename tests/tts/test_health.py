"""/livez and /readyz."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, RequestFactory

from audiocache import draining
from audiocache.exceptions import TierUnavailable
from tests.tts.doubles import StubProvider
from tts import health
from tts.exceptions import QuotaSpent
from tts.service import TTSService
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
