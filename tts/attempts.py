"""Every call to a provider is told: for accounts, metrics and breakers. Without text."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final

from django.dispatch import Signal

from audiocache.forks import renew_in_child
from tts.exceptions import ProviderError
from tts.speech import SpeechRequest

attempt_made = Signal()
"""A call has ended. The sender is the provider's class; `attempt` is an Attempt."""

OK: Final = "ok"
BROKEN: Final = "broken"
"""An error that is none of `tts.exceptions`: a fault of the provider's class."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to a provider, sent in whatever way it ended."""

    provider: str
    model: str | None
    voice: str | None
    outcome: str
    """`ok`, else the error's kind in small letters: rate_limited, not_audio, ..."""
    status: int | None
    """HTTP status of an error, where there was one."""
    latency_ms: int
    billed_units: int | None
    """As far as it is known; an answer that is refused as no sound may be billed too."""
    number: int
    """1 for the first call for a clip, 2 for the first retry."""
    source_key: str
    """The clip it was for."""
    request_id: str = ""
    """The provider's own name of the call."""


class AttemptCounts:
    """How many calls of this process ended how. Safe under threads."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_child(self)

    def add(self, attempt: Attempt) -> None:
        """One more."""
        with self._lock:
            self._counts[attempt.provider, attempt.outcome] += 1

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Number by provider and outcome."""
        found: dict[str, dict[str, int]] = {}
        with self._lock:
            for (provider, outcome), number in self._counts.items():
                found.setdefault(provider, {})[outcome] = number
        return found

    def after_fork(self) -> None:
        """Start anew: the calls were the parent's."""
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()


counts: Final = AttemptCounts()


def tell(sender: type, attempt: Attempt) -> None:
    """Count the attempt and send it to all receivers; one that raises is logged by Django."""
    counts.add(attempt)
    attempt_made.send_robust(sender, attempt=attempt)


def attempt_of(
    request: SpeechRequest,
    *,
    number: int,
    latency: float,
    error: Exception | None = None,
    billed_units: int | None = None,
) -> Attempt:
    """What is told of a call that took `latency` seconds."""
    return Attempt(
        provider=request.provider or "",
        model=request.model,
        voice=request.voice,
        outcome=outcome_of(error),
        status=getattr(error, "status", None),
        latency_ms=round(latency * 1000),
        billed_units=units_told(error, billed_units),
        number=number,
        source_key=request.source_key,
        request_id=getattr(error, "request_id", ""),
    )


def units_told(error: Exception | None, billed: int | None) -> int | None:
    """What was billed: of an answer without its end, as its headers say."""
    said: int | None = getattr(error, "billed_units", None)
    return billed if said is None else said


def outcome_of(error: Exception | None) -> str:
    """A word for how a call ended, such as `quota_spent`."""
    if error is None:
        return OK
    if not isinstance(error, ProviderError):
        return BROKEN
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
