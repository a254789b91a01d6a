"""Speaking ahead of time: for the command, the task and anyone else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tts.exceptions import (
    BreakerOpen,
    BudgetSpent,
    NotCached,
    QuotaSpent,
    SpeechNotConfigured,
    TTSError,
    WrongKey,
)
from tts.limits import warming
from tts.service import TTSService, get_tts_service
from tts.speech import SpeechRequest

HOPELESS: Final = (
    SpeechNotConfigured, NotCached, QuotaSpent, WrongKey, BreakerOpen, BudgetSpent,
)  # fmt: skip
"""After one of these every further phrase would fail too."""

STALE: Final = "Stale"
"""Counted where an older clip was all there was: the provider failed."""


@dataclass(slots=True)
class Warming:
    """What has been done so far; the same object at every call of `progress`."""

    stored: int = 0
    skipped: int = 0
    """Were there already."""
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """How often each kind of error came up, by its class."""
    stopped_by: str = ""
    """The kind of error that made going on useless."""
    switched_off: bool = False
    """CACHE_ENABLE_WARMING is false: nothing was done."""

    @property
    def done(self) -> int:
        """Phrases looked at."""
        return self.stored + self.skipped + self.failed


def warm(
    requests: Iterable[SpeechRequest],
    progress: Callable[[Warming], None] | None = None,
    *,
    service: TTSService | None = None,
    namespace: str = "",
) -> Warming:
    """Speak and store what is not stored yet, one after the other.

    May be interrupted at any time and run again: each clip is stored as soon as it is made.
    A phrase that fails is counted by its kind of error, and the next one is tried.
    """
    speaker = service or get_tts_service()
    result = Warming(switched_off=not speaker.cache.config.enable_warming)
    if result.switched_off:
        return result
    for request in requests:
        _warm_one(speaker, request, namespace, result)
        if progress is not None:
            progress(result)
        if result.stopped_by:
            break
    return result


def _warm_one(speaker: TTSService, request: SpeechRequest, namespace: str, result: Warming) -> None:
    try:
        complete = speaker.complete(request)
        if speaker.cache.holds(complete.clip(namespace)):
            result.skipped += 1
            return
        with warming():
            spoken = speaker.synthesize_sync(complete, namespace=namespace)
        if spoken.stale:
            _failed(result, STALE)
        else:
            result.stored += 1
    except TTSError as error:
        kind = type(error).__name__
        _failed(result, kind)
        if isinstance(error, HOPELESS):
            result.stopped_by = kind


def _failed(result: Warming, kind: str) -> None:
    result.failed += 1
    result.errors[kind] += 1


def stored_phrases() -> Iterator[SpeechRequest]:
    """The enabled phrases of the admin."""
    from tts.models import WarmPhrase

    for phrase in WarmPhrase.objects.enabled().iterator(chunk_size=500):
        yield phrase.request()


def warm_stored_phrases() -> int:
    """Warm the enabled phrases of the admin; how many were stored. For the task."""
    return warm(stored_phrases()).stored
