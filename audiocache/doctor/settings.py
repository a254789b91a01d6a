"""Settings: whatever the system checks of the cache and of speech say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core.checks import WARNING, CheckMessage, run_checks

from audiocache.checks import check_settings
from audiocache.conf import PERSISTENT
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding
from audiocache.folder_checks import obstacle

ERRORS: Final = "audiocache.E"
"""Begins what no cache can be built with: then there is nothing to go on with."""


def wrong() -> Iterator[Finding]:
    """One finding a message, named by its id. They connect to nothing."""
    for message in [*check_settings(), *run_checks(tags=["tts"])]:
        if message.level >= WARNING and not message.is_silenced():
            yield _finding(message)


def folder(case: Case) -> Iterator[Finding]:
    """Is the database tier dead, as its file can be neither used nor made?"""
    wrong = obstacle(case.alias) if PERSISTENT in case.config.tier_names else None
    if wrong is not None:
        yield Finding(
            "folder",
            f"The cache's own file cannot be used: {wrong}.",
            "The database tier is passed over: nothing is kept over a restart.",
            "Set CACHE_PERSISTENT_PATH to a folder in which this user may write, or chmod it.",
        )


def _finding(message: CheckMessage) -> Finding:
    return Finding(
        message.id or "settings",
        message.msg,
        "A wrong or unwise setting is not what was meant.",
        message.hint or "Set it right in settings or the environment: see README, Settings.",
    )
