"""When to ask a provider again, and after how long (DESIGN section 5), on tenacity.

What decides is the kind of the last error and how many attempts there were. The waits of a
test suite are switched off with `without_waits()`, or replaced with `set_waiting`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

from tenacity import RetryCallState, Retrying

from tts.deadline import Deadline
from tts.exceptions import (
    ConnectionFailed,
    NotAudio,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    TransientError,
)
from tts.limits import MAX_RETRY_AFTER

T = TypeVar("T")
Wait = Callable[[float], None]
"""Waits for seconds."""

JITTER: Final = 0.25


class Rule(NamedTuple):
    """How often to ask again after an error of these kinds; seconds."""

    kinds: tuple[type[ProviderError], ...]
    retries: int
    base: float
    most: float


RULES: Final = (
    Rule((RateLimited,), retries=3, base=1.0, most=16.0),
    Rule((ProviderDown, ConnectionFailed, ProviderTimeout, TransientError), 2, 0.5, 8.0),
    Rule((NotAudio,), retries=1, base=0.5, most=8.0),
)


class _Process:
    """How this process waits."""

    wait: Wait = staticmethod(time.sleep)


def retried(
    call: Callable[[], T], deadline: Deadline, may_repeat: Callable[[], bool] = lambda: True
) -> T:
    """What `call()` gives, asked again as the rules say and while there is time.

    Raises its last error as it is. No wait is begun that would end after the deadline.
    `may_repeat` is asked before each wait for another attempt.
    """
    again = Retrying(
        retry=lambda state: _is_worth_it(state) and may_repeat(),
        wait=_next_delay,
        stop=lambda state: state.upcoming_sleep >= deadline.remaining(),
        sleep=_Process.wait,
        reraise=True,
    )
    return again(call)


def rule_for(error: BaseException | None) -> Rule | None:
    """The rule of an error; None: it is final."""
    return next((rule for rule in RULES if isinstance(error, rule.kinds)), None)


def delay(rule: Rule, attempts: int, retry_after: float | None = None) -> float:
    """Seconds to wait after so many attempts: doubled each time, never before `retry_after`."""
    backoff = _jittered(rule.base * 2 ** (attempts - 1), JITTER)
    asked = retry_after or 0.0
    return max(min(rule.most, backoff), asked + asked * JITTER * random.random())


def set_waiting(wait: Wait | None) -> Wait:
    """Wait in another way from now on; None: really. The former way."""
    former, _Process.wait = _Process.wait, wait or time.sleep
    return former


@contextmanager
def without_waits() -> Iterator[list[float]]:
    """For tests: retries happen at once; the list fills with the seconds not waited."""
    waits: list[float] = []
    former = set_waiting(waits.append)
    try:
        yield waits
    finally:
        set_waiting(former)


def _is_worth_it(state: RetryCallState) -> bool:
    error = _error_of(state)
    rule = rule_for(error)
    if rule is None or state.attempt_number > rule.retries:
        return False
    asked = getattr(error, "retry_after", None)
    return asked is None or asked <= MAX_RETRY_AFTER


def _next_delay(state: RetryCallState) -> float:
    error = _error_of(state)
    rule = rule_for(error)
    assert rule is not None  # `_is_worth_it` said so
    return delay(rule, state.attempt_number, getattr(error, "retry_after", None))


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _jittered(seconds: float, part: float) -> float:
    return seconds * random.uniform(1 - part, 1 + part)
