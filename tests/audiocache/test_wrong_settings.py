"""All that is wrong in settings.AUDIOCACHE is told at once, and no consequence of it."""

from __future__ import annotations

from typing import Any

import pytest

from audiocache import CacheConfig
from audiocache.checks import check_settings
from audiocache.wrong_settings import WrongSettings

UNKNOWN = (
    "audiocache.E001 settings.AUDIOCACHE['TTLHOURS'] is not a setting, did you mean 'TTL_HOURS'?"
)


def said(settings: Any, given: object) -> list[str]:
    """What the checks say of these settings, without the reasons."""
    settings.AUDIOCACHE = given
    return [f"{each.id} {each.msg.partition(': ')[0]}" for each in check_settings()]


def test_a_wrong_value_hides_no_alias_that_does_not_exist(settings: Any) -> None:
    assert said(settings, {"PERSISTENT_DATABASE": "nope", "TTL_HOURS": -1}) == [
        "audiocache.E001 CACHE_TTL_HOURS",
        "audiocache.E002 CACHE_PERSISTENT_DATABASE",
    ]


def test_an_unknown_name_hides_no_value_and_no_conflict(settings: Any) -> None:
    given = {"TTLHOURS": 3, "TTL_HOURS": -1, "REDIS_URL": "redis://x", "REDIS_HOST": "y"}
    assert said(settings, given | {"STORAGE": "nope"}) == [
        UNKNOWN,
        "audiocache.E001 CACHE_TTL_HOURS",
        "audiocache.E001 CACHE_REDIS_URL and CACHE_REDIS_HOST",
        "audiocache.E020 CACHE_STORAGE",
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"BACKEND": "redis", "REDIS_URL": 3}, ["audiocache.E001 CACHE_REDIS_URL"]),
        (
            {"PERSISTENT_MAX_MB": "x", "MEMORY_MAX_MB": 600},
            ["audiocache.E001 CACHE_PERSISTENT_MAX_MB"],
        ),
        ([1], ["audiocache.E001 settings.AUDIOCACHE must be a dict"]),
    ],
)
def test_what_follows_from_a_wrong_value_is_not_told(
    settings: Any, given: object, told: list[str]
) -> None:
    assert said(settings, given) == told


def test_what_is_right_is_at_hand_with_defaults_for_the_rest(settings: Any) -> None:
    settings.AUDIOCACHE = {"TTL_HOURS": -1, "MEMORY_MAX_SIZE": 7}
    config, wrong = CacheConfig.judged()
    assert (config.ttl_hours, config.memory_max_size) == (24, 7)
    assert wrong.doubtful == {"CACHE_TTL_HOURS"}
    with pytest.raises(WrongSettings, match="CACHE_TTL_HOURS"):
        CacheConfig.load()
