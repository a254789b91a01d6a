"""System checks: each setting that is wrong or unwise, by name, without connecting."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connections
from pytest_django import Settings

from audiocache import checks

Check = Callable[..., list[str | None]]
REDIS = "django_redis.cache.RedisCache"
CALM = {"SOCKET_TIMEOUT": 0.25}


@pytest.fixture
def found(settings: Settings, own_aliases: None) -> Iterator[Check]:
    """The ids that the checks find for these AUDIOCACHE settings."""

    def check(**given: Any) -> list[str | None]:
        settings.AUDIOCACHE = given
        return [message.id for message in checks.check_settings()]

    return check  # type: ignore[return-value]


def test_the_defaults_are_well(found: Check) -> None:
    assert found() == []
    assert found(REDIS_URL="redis://localhost:1") == []


def test_the_checks_are_registered(settings: Settings) -> None:
    settings.AUDIOCACHE = {"TTL_HOURS": -1}
    assert "audiocache.E001" in [message.id for message in run_checks()]


def test_every_wrong_setting_is_a_message_of_its_own(settings: Settings) -> None:
    settings.AUDIOCACHE = {"TTL_HOURS": -1, "BACKEND": "a; b"}
    messages = checks.check_settings()
    assert [message.id for message in messages] == ["audiocache.E001"] * 2
    assert "CACHE_BACKEND: must be one of" in messages[0].msg
    assert "CACHE_TTL_HOURS: must be at least 0" in messages[1].msg


@pytest.mark.parametrize(
    ("name", "value"),
    [("TTL_HOURS", 10**400), ("PERSISTENT_PATH", ":memory:"), ("REDIS_PREFIX", "\ud800")],
)
def test_a_value_that_nothing_could_work_with(found: Check, name: str, value: object) -> None:
    assert found(**{name: value}) == ["audiocache.E001"]


@pytest.mark.parametrize("given", ["", [], 0, "memory"])
def test_settings_that_are_no_dict(settings: Settings, given: object) -> None:
    settings.AUDIOCACHE = given
    [message] = checks.check_settings()
    assert message.msg == "settings.AUDIOCACHE must be a dict"


@pytest.mark.parametrize("path", [".a.b", "..", "no_dots", "tests.raises_on_import.mine"])
def test_whom_metrics_are_for_cannot_be_imported(found: Check, path: str) -> None:
    assert found(METRICS_ACCESS=path) == ["audiocache.E022"]
    [message] = checks.check_settings()
    assert message.msg.startswith("CACHE_METRICS_ACCESS: ")
    assert "s3cret" not in message.msg


def test_an_alias_that_is_none(found: Check) -> None:
    assert found(PERSISTENT_DATABASE="nowhere") == ["audiocache.E002"]
    assert found(PERSISTENT_DATABASE="nowhere", BACKEND="memory") == []


def test_a_database_that_is_neither_sqlite_nor_postgresql(
    found: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(connections["default"]), "vendor", "oracle")
    assert found(PERSISTENT_DATABASE="audiocache") == ["audiocache.E003"]


def test_the_sites_own_connection(found: Check) -> None:
    assert found(PERSISTENT_DATABASE="default") == ["audiocache.W001"]


def test_another_alias_whose_views_begin_transactions(
    found: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(PERSISTENT_DATABASE="audiocache_pg") == []
    monkeypatch.setitem(connections.databases["audiocache_pg"], "ATOMIC_REQUESTS", True)
    assert found(PERSISTENT_DATABASE="audiocache_pg") == ["audiocache.W008"]


def test_a_redis_that_is_not_configured(found: Check) -> None:
    assert found(BACKEND="redis") == ["audiocache.W002"]


def test_a_missing_extra(found: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert importlib.util.find_spec("django_redis") is not None
    assert found(REDIS_URL="redis://localhost:1") == ["audiocache.E004"]
    assert found() == []


def test_an_alias_of_caches(found: Check, settings: Settings) -> None:
    assert found(REDIS_ALIAS="nowhere") == ["audiocache.E005"]
    site = {"BACKEND": REDIS, "LOCATION": "redis://localhost:1"}
    settings.CACHES = settings.CACHES | {"slow": site, "calm": {**site, "OPTIONS": CALM}}
    assert found(REDIS_ALIAS="slow") == ["audiocache.W003"]
    assert found(REDIS_ALIAS="calm") == []


@pytest.mark.parametrize(
    "backend",
    [
        "django.core.cache.backends.locmem.LocMemCache",
        "django.core.cache.backends.redis.RedisCache",
        "no.such.Backend",
    ],
)
def test_an_alias_that_is_not_of_django_redis(
    found: Check, settings: Settings, backend: str
) -> None:
    site = {"BACKEND": backend, "LOCATION": "redis://localhost:1"}
    settings.CACHES = settings.CACHES | {"other": site}
    assert found(REDIS_ALIAS="other") == ["audiocache.E007"]


@pytest.mark.parametrize(
    "url", ["redis://user:s3cret#x@host", "localhost:6379", "redis://:s3cret@host?bogus_option=1"]
)
def test_an_address_of_redis_that_is_wrong(found: Check, settings: Settings, url: str) -> None:
    assert found(REDIS_URL=url) == ["audiocache.E006"]
    [message] = checks.check_settings()
    assert message.msg.startswith("CACHE_REDIS_URL: ")
    assert not any(part in str(message) for part in ("s3cret", "6379", "bogus"))
    assert found(REDIS_URL=url, BACKEND="sqlite") == []


@pytest.mark.parametrize("name", ["MEMORY_MAX_SIZE", "MEMORY_MAX_MB"])
def test_a_memory_that_holds_nothing(found: Check, name: str) -> None:
    assert found(**{name: 0}) == ["audiocache.W004"]


def test_an_alias_for_memory_that_is_another_backend(found: Check, settings: Settings) -> None:
    assert found(MEMORY_ALIAS="default") == ["audiocache.W005"]
    ours = {"BACKEND": "audiocache.backends.MemoryCache", "LOCATION": "checks"}
    settings.CACHES = settings.CACHES | {"ours": ours}
    assert found(MEMORY_ALIAS="ours") == []


def test_a_table_without_a_limit(found: Check) -> None:
    assert found(PERSISTENT_MAX_SIZE=0, PERSISTENT_MAX_MB=0) == ["audiocache.W006"]
    assert found(PERSISTENT_MAX_SIZE=0) == []


def test_a_table_smaller_than_memory(found: Check) -> None:
    assert found(PERSISTENT_MAX_MB=10) == ["audiocache.W007"]
    assert found(PERSISTENT_MAX_MB=10, MEMORY_MAX_MB=5) == []


def test_the_checks_connect_to_nothing(found: Check) -> None:
    """No test database was asked for: a query would raise."""
    assert found(REDIS_URL="redis://localhost:1", PERSISTENT_DATABASE="audiocache_pg") == []
