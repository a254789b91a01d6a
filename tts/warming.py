"""Speaking ahead of time: for the command, the task and anyone else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
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
from tts.limits import warming, warming_at_once
from tts.service import TTSService, get_tts_service
from tts.speech import SpeechRequest

PORTION: Final = 500
"""Phrases of the admin that are read at once."""
HOPELESS: Final = (
    SpeechNotConfigured, NotCached, QuotaSpent, WrongKey, BreakerOpen, BudgetSpent,
)  # fmt: skip
"""After one of these every further phrase would fail too."""
MOMENT: Final = 10.0
"""Seconds: a breaker that lets somebody through by then is waited for."""
PATIENCE: Final = 60.0
"""Seconds of waiting for one phrase."""

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
    latest: SpeechRequest | None = None
    """What was looked at last."""
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
    """Speak and store what is not stored yet, as many at once as TTS_MAX_CONCURRENT leaves.

    May be interrupted at any time and run again: each clip is stored as soon as it is made, and
    what is under way is waited for, and counted.
    A phrase that fails is counted by its kind of error, and the next one is tried.
    """
    speaker = service or get_tts_service()
    result = Warming(switched_off=not speaker.cache.config.enable_warming)
    if result.switched_off:
        return result
    wanted = takewhile(lambda _: not result.stopped_by, requests)
    at_once = warming_at_once(speaker.config.max_concurrent)
    if at_once == 1:
        outcomes = _one_by_one(wanted, speaker, namespace)
    else:
        outcomes = _at_once(wanted, partial(_made_on_a_thread, speaker, namespace), at_once)
    try:
        for request, outcome in outcomes:
            _count(result, request, outcome)
            if progress is not None:
                progress(result)
    except KeyboardInterrupt as interruption:
        for request, outcome in _under_way(outcomes, interruption):
            _count(result, request, outcome)
        raise
    return result


STORED: Final = "stored"
SKIPPED: Final = "skipped"

Outcome = str | TTSError
"""STORED, SKIPPED, STALE or what went wrong."""
Outcomes = Generator[tuple[SpeechRequest, Outcome], None, None]
Make = Callable[[SpeechRequest], Outcome]


def _made(speaker: TTSService, namespace: str, request: SpeechRequest) -> Outcome:
    until = time.monotonic() + PATIENCE
    outcome = _made_now(speaker, namespace, request)
    while (pause := _moment(outcome)) and time.monotonic() + pause < until:
        time.sleep(pause)
        outcome = _made_now(speaker, namespace, request)
    return outcome


def _moment(outcome: Outcome) -> float:
    """Seconds until the provider is asked again; 0.0: that is not soon, or another matter."""
    seconds = outcome.retry_after or 0.0 if isinstance(outcome, BreakerOpen) else 0.0
    return seconds if seconds <= MOMENT else 0.0


def _made_now(speaker: TTSService, namespace: str, request: SpeechRequest) -> Outcome:
    try:
        complete = speaker.complete(request)
        if speaker.cache.holds(complete.clip(namespace)):
            return SKIPPED
        with warming():
            spoken = speaker.synthesize_sync(complete, namespace=namespace)
    except TTSError as error:
        return error
    return STALE if spoken.stale else STORED


def _made_on_a_thread(speaker: TTSService, namespace: str, request: SpeechRequest) -> Outcome:
    try:
        return _made(speaker, namespace, request)
    finally:
        speaker.cache.ladder.release()  # the thread's connection, which nobody else would close


def _interrupted(speaker: TTSService, namespace: str, request: SpeechRequest) -> Outcome | None:
    """How the one went that was under way, which is paid for: it is waited for. None: it was not.

    It may have ended at that moment.
    """
    if not (len(speaker.cache.flights) or _is_held(speaker, namespace, request)):
        return None
    outcome = _made_now(speaker, namespace, request)
    return STORED if outcome == SKIPPED else outcome


def _is_held(speaker: TTSService, namespace: str, request: SpeechRequest) -> bool:
    try:
        return speaker.cache.holds(speaker.complete(request).clip(namespace))
    except TTSError:
        return False


def _one_by_one(requests: Iterable[SpeechRequest], speaker: TTSService, namespace: str) -> Outcomes:
    """Each request and how it went."""
    for request in requests:
        try:
            outcome = _made(speaker, namespace, request)
        except KeyboardInterrupt:
            if late := _interrupted(speaker, namespace, request):
                yield request, late
            raise
        yield request, outcome


def _at_once(requests: Iterable[SpeechRequest], make: Make, number: int) -> Outcomes:
    """The same of so many at once, as they end."""
    running: dict[Future[Outcome], SpeechRequest] = {}
    with ThreadPoolExecutor(number, "warming") as threads:
        try:
            for request in requests:
                running[threads.submit(make, request)] = request
                if len(running) == number:
                    yield from _ended(running)
            yield from _all_ended(running)
        except KeyboardInterrupt:  # what is under way is paid for, and stored
            yield from _all_ended(running)
            raise


def _under_way(outcomes: Outcomes, interruption: KeyboardInterrupt) -> Outcomes:
    """What is left of them where they were not themselves interrupted, but who counts them."""
    with suppress(KeyboardInterrupt):
        yield outcomes.throw(interruption)
        yield from outcomes


def _all_ended(
    running: dict[Future[Outcome], SpeechRequest],
) -> Outcomes:
    while running:
        yield from _ended(running)


def _ended(
    running: dict[Future[Outcome], SpeechRequest],
) -> Outcomes:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


def _count(result: Warming, request: SpeechRequest, outcome: Outcome) -> None:
    result.latest = request
    result.stored += outcome == STORED
    result.skipped += outcome == SKIPPED
    if outcome in {STORED, SKIPPED}:
        return
    kind = outcome if isinstance(outcome, str) else type(outcome).__name__
    result.failed += 1
    result.errors[kind] += 1
    if isinstance(outcome, HOPELESS):
        result.stopped_by = kind


def stored_phrases() -> Iterator[SpeechRequest]:
    """The enabled phrases of the admin. While they are spoken no query of the site's is open:
    in SQLite's default journal one that is read in portions keeps all others from writing.
    """
    from tts.models import WarmPhrase

    phrases, last = WarmPhrase.objects.enabled(), 0
    while portion := list(phrases.filter(pk__gt=last)[:PORTION]):
        yield from (phrase.request() for phrase in portion)
        last = portion[-1].pk


def warm_stored_phrases() -> int:
    """Warm the enabled phrases of the admin; how many were stored. For the task."""
    return warm(stored_phrases()).stored
