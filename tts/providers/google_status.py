"""Errors of Google's APIs: `google.rpc.Status` as JSON, and what its words mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tts.exceptions import (
    ContentRefused,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    WrongKey,
)
from tts.providers.http import words_in

SPENT: Final = "daily quota"
HARMFUL: Final = "harmful content"

MEANINGS: Final[Mapping[str, type[ProviderError]]] = {
    SPENT: QuotaSpent,
    HARMFUL: ContentRefused,
    "API_KEY_INVALID": WrongKey,
    "BILLING_DISABLED": QuotaSpent,
    "UNAUTHENTICATED": WrongKey,
    "PERMISSION_DENIED": WrongKey,
    "RESOURCE_EXHAUSTED": RateLimited,
    "INVALID_ARGUMENT": RequestRefused,
    "UNAVAILABLE": ProviderDown,
    "INTERNAL": ProviderDown,
    "DEADLINE_EXCEEDED": ProviderDown,
}
"""A wrong key is an INVALID_ARGUMENT with a reason; so the reasons come first."""

_PER_DAY: Final = re.compile(r"per[ _]?day", re.IGNORECASE)
_SECONDS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")


def words(body: object) -> Iterator[str]:
    """Words that may stand in MEANINGS, the best first: quotas, reasons, the status."""
    error = _error(body)
    status, said = error.get("status"), json.dumps(error)
    if status == "RESOURCE_EXHAUSTED" and _PER_DAY.search(said):
        yield SPENT
    if status == "INVALID_ARGUMENT" and "sensitive or harmful" in said:
        yield HARMFUL
    yield from words_in(*(detail.get("reason") for detail in _details(error)), status)


def retry_delay(body: object) -> float | None:
    """Seconds of google.rpc.RetryInfo, which writes `1.5s`."""
    for delay in words_in(*(detail.get("retryDelay") for detail in _details(_error(body)))):
        if found := _SECONDS.fullmatch(delay):
            return float(found[1])
    return None


def _error(body: object) -> dict[str, Any]:
    """The status; empty when there is none."""
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _details(error: dict[str, Any]) -> list[dict[str, Any]]:
    found = error.get("details")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
