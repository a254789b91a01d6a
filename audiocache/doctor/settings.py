"""Settings: whatever the system checks of the cache and of speech say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core.checks import WARNING, CheckMessage, run_checks

from audiocache.checks import check_settings
from audiocache.doctor.findings import Finding

ERRORS: Final = "audiocache.E"
"""Begins what no cache can be built with: then there is nothing to go on with."""


def wrong() -> Iterator[Finding]:
    """One finding a message, named by its id. They connect to nothing."""
    for message in [*check_settings(), *run_checks(tags=["tts"])]:
        if message.level >= WARNING and not message.is_silenced():
            yield _finding(message)


def _finding(message: CheckMessage) -> Finding:
    return Finding(
        message.id or "settings",
        message.msg,
        "A wrong or unwise setting is not what was meant.",
        message.hint or "Set it right in settings or the environment: see README, Settings.",
    )
