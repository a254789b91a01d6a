"""System checks of where large clips are to lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from audiocache import checks

FOLDER = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
BUCKET = {"BACKEND": "storages.backends.s3.S3Storage"}


@pytest.fixture
def found(settings: Settings, own_aliases: None) -> Callable[..., list[str | None]]:
    """The ids that the checks find for these AUDIOCACHE settings."""
    settings.STORAGES = settings.STORAGES | {"clips": FOLDER, "bucket": BUCKET}

    def check(**given: Any) -> list[str | None]:
        settings.AUDIOCACHE = given
        return [message.id for message in checks.check_settings()]

    return check


POSTGRESQL = {"PERSISTENT_DATABASE": "audiocache_pg"}


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({"INLINE_MAX_KB": 100}, []),
        ({"INLINE_MAX_KB": 100, "STORAGE": "clips"}, []),
        ({"INLINE_MAX_KB": -1}, ["audiocache.E001"]),
        ({"STORAGE": "nowhere"}, ["audiocache.E020"]),
        ({"STORAGE": "nowhere", "BACKEND": "memory"}, []),
        ({"INLINE_MAX_KB": 100, "STORAGE": "default"}, ["audiocache.W020"]),
        ({"INLINE_MAX_KB": 100, **POSTGRESQL}, ["audiocache.E021"]),
        ({"INLINE_MAX_KB": 100, "STORAGE": "clips", **POSTGRESQL}, ["audiocache.W021"]),
        ({"INLINE_MAX_KB": 100, "STORAGE": "bucket", **POSTGRESQL}, []),
        (POSTGRESQL, []),
    ],
)
def test_where_large_clips_are_to_lie(
    found: Callable[..., list[str | None]], given: dict[str, Any], ids: list[str]
) -> None:
    assert found(**given) == ids
