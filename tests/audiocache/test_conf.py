"""Every setting: its name, its default, where it may stand, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from audiocache import CacheConfig
from audiocache.configuring import MASK

# field, default, as it stands in the environment, and what that means
FIELDS: list[tuple[str, Any, str, Any]] = [
    ("backend", "multi-tier", "Redis", "redis"),
    ("tiers", ("memory", "persistent", "distributed"), "memory, distributed,persistent",
     ("memory", "distributed", "persistent")),
    ("memory_max_size", 100, "7", 7),
    ("memory_max_mb", 50, "0.5", 0.5),
    ("memory_alias", "audiocache", "clips", "clips"),
    ("persistent_path", None, "/var/cache/audio", "/var/cache/audio"),
    ("persistent_database", None, "clips", "clips"),
    ("persistent_max_size", 1000, "0", 0),
    ("persistent_max_mb", 500, "2000", 2000),
    ("inline_max_kb", 0, "256", 256),
    ("storage", None, "clips", "clips"),
    ("ttl_hours", 24, "0", 0),
    ("cleanup_interval_minutes", 60, "5", 5),
    ("redis_url", None, "redis://example.org/1", "redis://example.org/1"),
    ("redis_host", None, "example.org", "example.org"),
    ("redis_port", 6379, "7000", 7000),
    ("redis_db", 0, "3", 3),
    ("redis_password", None, "secret", "secret"),
    ("redis_alias", None, "default", "default"),
    ("redis_prefix", "audiocache", "mine", "mine"),
    ("redis_max_connections", 10, "64", 64),
    ("redis_max_entry_kb", 1024, "12.5", 12.5),
    ("enable_warming", True, "false", False),
    ("enable_statistics", True, "off", False),
    ("stale_if_error_hours", 0, "24", 24),
    ("store_text", True, "0", False),
    ("max_blind_seconds", 60, "2.5", 2.5),
    ("metrics_token", None, "secret", "secret"),
    ("metrics_access", None, "site.may_read", "site.may_read"),
]  # fmt: skip
IDS = [field[0] for field in FIELDS]
ENV_NAMES = [f"CACHE_{name.upper()}" for name in IDS]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.AUDIOCACHE = {}
    for name in ENV_NAMES:
        monkeypatch.delenv(name, raising=False)


def test_this_table_names_every_setting_and_its_default() -> None:
    assert {name: default for name, default, _, _ in FIELDS} == dataclasses.asdict(CacheConfig())


@pytest.mark.parametrize(("name", "default", "written", "meant"), FIELDS, ids=IDS)
def test_code_beats_settings_beat_the_environment_beats_the_default(
    name: str,
    default: Any,
    written: str,
    meant: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    assert getattr(CacheConfig.load(), name) == default
    monkeypatch.setenv(f"CACHE_{name.upper()}", written)
    assert getattr(CacheConfig.load(), name) == meant
    assert getattr(CacheConfig.from_env(), name) == meant
    assert getattr(CacheConfig(), name) == default
    settings.AUDIOCACHE = {name.upper(): default}
    assert getattr(CacheConfig.load(), name) == default
    assert getattr(CacheConfig.from_env(), name) == meant
    assert getattr(CacheConfig.load(**{name: meant}), name) == meant


def test_an_empty_value_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_TTL_HOURS", "")
    assert CacheConfig.from_env() == CacheConfig()


def test_a_configuration_is_a_frozen_value() -> None:
    config = CacheConfig(ttl_hours=48)
    assert config == CacheConfig(ttl_hours=48.0) != CacheConfig()
    assert hash(config) == hash(CacheConfig(ttl_hours=48))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.ttl_hours = 1  # type: ignore[misc]


WRONG: list[tuple[str, Any, str]] = [
    ("backend", "memcached", "must be one of memory, sqlite, database, redis, multi-tier"),
    ("backend", 5, "must be text"),
    ("tiers", "memory,persistent", "must name memory, persistent, distributed, each once"),
    ("tiers", "memory,memory,distributed", "each once"),
    ("tiers", 5, ""),
    ("memory_max_size", -1, "must be at least 0"),
    ("memory_max_size", "many", "must be a whole number, not 'many'"),
    ("memory_max_size", 1.5, "must be a whole number, not 1.5"),
    ("memory_max_size", True, "must be a whole number"),
    ("memory_max_mb", "nan", "must be at least 0, not nan"),
    ("memory_max_mb", "inf", "must be from 0 to 1000000000000000, not inf"),
    ("ttl_hours", 10**400, "must be from 0 to 1000000000000000, not so large a number"),
    ("ttl_hours", -(10**400), "must be at least 0, not so large a number"),
    ("memory_max_size", 10**400, "must be from 0 to 1000000000000000"),
    ("redis_port", 10**400, "must be from 1 to 65535"),
    ("persistent_path", "a\0b", "must have no NUL"),
    ("persistent_path", "\ud800", "no lone surrogate"),
    ("persistent_path", ":memory:", "must be a folder"),
    ("persistent_path", "file:clips?mode=memory", "must be a folder"),
    ("redis_prefix", "\ud800", "no lone surrogate"),
    ("memory_max_mb", None, "must be a number, not None"),
    ("memory_max_mb", False, "must be a number, not False"),
    ("memory_max_mb", "much", "must be a number, not 'much'"),
    ("ttl_hours", -0.5, "must be at least 0"),
    ("cleanup_interval_minutes", 0, "must be at least 1"),
    ("persistent_path", 5, "must be a path"),
    ("persistent_database", 5, "must be text"),
    ("redis_port", 70000, "must be from 1 to 65535"),
    ("redis_db", -1, "must be at least 0"),
    ("redis_max_connections", 0, "must be at least 1"),
    ("redis_url", 5, ""),
    ("enable_warming", "perhaps", "must be true or false, not 'perhaps'"),
    ("enable_warming", 2, "must be true or false"),
    ("enable_statistics", None, "must be true or false"),
    ("store_text", 1.0, "must be true or false"),
    ("stale_if_error_hours", "a day", "must be a number"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        CacheConfig(**{name: value})
    assert f"CACHE_{name.upper()}: " in str(caught.value)
    assert message in str(caught.value)


def test_a_number_that_python_does_not_write_is_refused_by_its_name() -> None:
    with pytest.raises(ImproperlyConfigured, match="CACHE_REDIS_PORT: must be from 1 to 65535"):
        CacheConfig(redis_port=10**5000)


def test_all_wrong_values_are_told_together() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        CacheConfig(ttl_hours=-1, backend="x", redis_port=0)
    told = str(caught.value)
    assert all(name in told for name in ("CACHE_TTL_HOURS", "CACHE_BACKEND", "CACHE_REDIS_PORT"))


def test_a_wrong_secret_is_not_repeated() -> None:
    wrong: Any = b"my-secret"
    for name in ("redis_password", "redis_url"):
        with pytest.raises(ImproperlyConfigured) as caught:
            CacheConfig(**{name: wrong})
        assert "my-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"redis_url": "redis://a", "redis_host": "b"}, "CACHE_REDIS_URL and CACHE_REDIS_HOST"),
        ({"redis_host": "b", "redis_alias": "c"}, "CACHE_REDIS_HOST and CACHE_REDIS_ALIAS"),
        (
            {"persistent_path": "a", "persistent_database": "b"},
            "CACHE_PERSISTENT_PATH and CACHE_PERSISTENT_DATABASE",
        ),
    ],
)
def test_values_that_exclude_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=message):
        CacheConfig(**given)


def test_an_unknown_setting_is_refused_with_the_nearest_name(settings: Settings) -> None:
    settings.AUDIOCACHE = {"TTL_HOUR": 1, "COLOUR": "red", 5: 1}
    with pytest.raises(ImproperlyConfigured) as caught:
        CacheConfig.load()
    told = str(caught.value)
    assert "settings.AUDIOCACHE['TTL_HOUR'] is not a setting, did you mean 'TTL_HOURS'?" in told
    assert "settings.AUDIOCACHE['COLOUR'] is not a setting" in told
    assert "settings.AUDIOCACHE[5] is not a setting" in told


def test_settings_must_be_a_dict(settings: Settings) -> None:
    settings.AUDIOCACHE = ["TTL_HOURS"]
    with pytest.raises(ImproperlyConfigured, match=r"settings\.AUDIOCACHE must be a dict"):
        CacheConfig.load()
    settings.AUDIOCACHE = None
    assert CacheConfig.load() == CacheConfig()


def test_secrets_are_shown_nowhere() -> None:
    config = CacheConfig(redis_host="example.org", redis_password="my-secret")
    assert config.masked()["redis_password"] == MASK
    assert CacheConfig(redis_url="redis://:my-secret@h").masked()["redis_url"] == MASK
    assert CacheConfig().masked()["redis_password"] is None
    assert "my-secret" not in repr(config)
    assert set(config.masked()) == set(IDS)
    assert config.masked()["redis_host"] == "example.org"


def test_a_path_may_be_a_path() -> None:
    assert CacheConfig(persistent_path=Path("/var/cache")).persistent_path == "/var/cache"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "redis", "tiers"),
    [
        ("memory", True, ("memory",)),
        ("sqlite", True, ("memory", "persistent")),
        ("database", False, ("memory", "persistent")),
        ("redis", True, ("memory", "distributed")),
        ("redis", False, ("memory",)),
        ("multi-tier", True, ("memory", "persistent", "distributed")),
        ("multi-tier", False, ("memory", "persistent")),
    ],
)
def test_the_backend_chooses_tiers_and_without_a_redis_there_is_none(
    backend: str, redis: bool, tiers: tuple[str, ...]
) -> None:
    config = CacheConfig(backend=backend, redis_host="example.org" if redis else None)
    assert config.tier_names == tiers


def test_the_order_of_the_tiers_is_a_setting() -> None:
    config = CacheConfig(tiers="memory,distributed,persistent", redis_alias="default")  # type: ignore[arg-type]
    assert config.tier_names == ("memory", "distributed", "persistent")
    assert CacheConfig(tiers=["persistent", "distributed", "memory"]).tiers[0] == "persistent"  # type: ignore[arg-type]


def test_wrong_names_and_wrong_values_are_told_together(settings: Settings) -> None:
    settings.AUDIOCACHE = {"MEMORY_MAX_SIZE": -1, "TTL_HOURS": "x", "BOGUS": 1, "TIERS": 5}
    with pytest.raises(ImproperlyConfigured) as refused:
        CacheConfig.load()
    for name in ("'BOGUS'", "CACHE_MEMORY_MAX_SIZE", "CACHE_TTL_HOURS", "CACHE_TIERS"):
        assert name in str(refused.value)


def test_of_values_that_exclude_each_other_the_higher_source_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_REDIS_HOST", "elsewhere")
    monkeypatch.setenv("CACHE_PERSISTENT_PATH", "/elsewhere")
    settings.AUDIOCACHE = {"REDIS_URL": "redis://example.org"}
    config = CacheConfig.load(persistent_database="default")
    assert (config.redis_url, config.redis_host) == ("redis://example.org", None)
    assert (config.persistent_database, config.persistent_path) == ("default", None)
