"""A provider's error, told to the other processes that wait for the same clip.

What is sent is what the error says of itself, which is neither text nor key; of an error that
is no provider's, its class alone.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any, Final

from audiocache.sharing import ALONE, Sharing
from tts import exceptions
from tts.exceptions import BreakerOpen, BudgetSpent, NotAudio, ProviderError

MARGIN_SECONDS: Final = 5.0
"""After its deadlines, for admission and storing."""
LONGEST_MESSAGE: Final = 500
FIELDS: Final = ("provider", "status", "retry_after", "request_id")


def sharing_of(*, remote: bool, timeout: float, lane: str = "", apart: str = "") -> Sharing:
    """How the makings of a provider are shared: as long as calls and queue may take."""
    if not remote:
        return dataclasses.replace(ALONE, lane=lane)
    seconds = 2 * timeout + MARGIN_SECONDS
    return Sharing(seconds=seconds, pack=pack, unpack=unpack, apart=apart, lane=lane)


def pack(error: Exception) -> str:
    """An error as JSON."""
    told: dict[str, Any] = {"kind": _kind(error)}
    if isinstance(error, BudgetSpent):
        told |= {"message": str(error), "retry_after": error.retry_after}
    if isinstance(error, ProviderError):
        told["message"] = str(error)[:LONGEST_MESSAGE]
        told |= {name: getattr(error, name) for name in FIELDS}
    if isinstance(error, BreakerOpen):
        told["opened_by"] = error.kind
    if isinstance(error, NotAudio):
        told |= {name: _iso(getattr(error, name)) for name in ("since", "until")}
    return json.dumps(told)


def unpack(told: str) -> ProviderError | BudgetSpent:
    """The error again, or the ProviderError that it is."""
    try:
        said = dict(json.loads(told))
    except (ValueError, TypeError):
        said = {}
    kind = str(said.get("kind", "unknown"))
    if kind == BudgetSpent.__name__:
        return BudgetSpent(str(said.get("message")), retry_after=said.get("retry_after"))
    fields = {name: said[name] for name in FIELDS if said.get(name)}
    message = said.get("message") or f"it failed in another process: {kind}"
    error = (_known(kind) or ProviderError)(message, **fields)
    if isinstance(error, NotAudio):
        error.since, error.until = _moment(said.get("since")), _moment(said.get("until"))
    if isinstance(error, BreakerOpen):
        error.kind = str(said.get("opened_by", ""))
    return error


def _kind(error: Exception) -> str:
    """Its class, or of a provider's own error the one of `tts.exceptions` that it is."""
    known = (cls.__name__ for cls in type(error).__mro__ if _known(cls.__name__) is cls)
    return next(known, type(error).__name__)


def _known(kind: str) -> type[ProviderError] | None:
    found = getattr(exceptions, kind, None)
    is_one = isinstance(found, type) and issubclass(found, ProviderError)
    return found if is_one else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(told: Any) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
