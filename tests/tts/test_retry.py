"""DESIGN section 5 in numbers: how often, after how long, until when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts import retry
from tts.deadline import Deadline
from tts.exceptions import (
    ConnectionFailed,
    ContentRefused,
    NotAudio,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    TransientError,
    WrongKey,
)

LONG = 1000.0


@pytest.fixture
def waits() -> Iterator[list[float]]:
    with retry.without_waits() as waits:
        yield waits


class Failing:
    """Raises its errors one after the other, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "sound"


@pytest.mark.parametrize(
    ("kind", "retries"),
    [
        (RateLimited, 3),
        (ProviderDown, 2),
        (ConnectionFailed, 2),
        (ProviderTimeout, 2),
        (TransientError, 2),
        (NotAudio, 1),
        (QuotaSpent, 0),
        (WrongKey, 0),
        (ContentRefused, 0),
        (RequestRefused, 0),
    ],
)
def test_each_kind_is_asked_again_so_often(
    waits: list[float], kind: type[ProviderError], retries: int
) -> None:
    errors = [kind(f"number {n}") for n in range(9)]
    call = Failing(*errors)
    with pytest.raises(kind) as caught:
        retry.retried(call, Deadline.after(LONG))
    assert call.calls == retries + 1
    assert caught.value is errors[retries]  # the last one itself, nothing around it
    assert len(waits) == retries


@pytest.mark.parametrize("retries", [1, 2, 3])
def test_an_answer_ends_it(waits: list[float], retries: int) -> None:
    call = Failing(*[RateLimited("slow down")] * retries)
    assert retry.retried(call, Deadline.after(LONG)) == "sound"
    assert call.calls == retries + 1


def test_an_error_that_is_no_providers_is_never_retried(waits: list[float]) -> None:
    call = Failing(KeyError("a bug"))
    with pytest.raises(KeyError):
        retry.retried(call, Deadline.after(LONG))
    assert (call.calls, waits) == (1, [])


def test_errors_of_several_kinds_are_counted_together(waits: list[float]) -> None:
    call = Failing(*[RateLimited(""), RateLimited(""), RateLimited(""), ProviderDown("")])
    with pytest.raises(ProviderDown):
        retry.retried(call, Deadline.after(LONG))
    assert call.calls == 4
    call = Failing(NotAudio(""), WrongKey(""))
    with pytest.raises(WrongKey):
        retry.retried(call, Deadline.after(LONG))
    assert call.calls == 2


@given(attempts=st.integers(1, 40), rule=st.sampled_from(retry.RULES))
def test_the_delay_doubles_with_jitter_up_to_its_most(attempts: int, rule: retry.Rule) -> None:
    exact = rule.base * 2 ** (attempts - 1)
    found = retry.delay(rule, attempts)
    assert min(rule.most, 0.75 * exact) <= found <= min(rule.most, 1.25 * exact)


@given(asked=st.floats(0, 60))
def test_nobody_is_asked_before_the_time_it_named(asked: float) -> None:
    found = retry.delay(retry.RULES[0], 1, asked)
    assert asked <= found <= max(1.25, asked * 1.25)


@pytest.mark.parametrize(("asked", "calls"), [(0, 4), (59, 4), (60, 4), (61, 1), (1e9, 1)])
def test_who_asks_for_too_long_a_wait_is_not_asked_again(
    waits: list[float], asked: float, calls: int
) -> None:
    call = Failing(*[RateLimited("later", retry_after=asked)] * 9)
    with pytest.raises(RateLimited):
        retry.retried(call, Deadline.after(LONG))
    assert call.calls == calls


@pytest.mark.parametrize(("seconds", "calls"), [(0.3, 1), (1.1, 2), (4.0, 3)])
def test_one_deadline_covers_all_attempts(seconds: float, calls: int) -> None:
    now = [0.0]

    def pass_time(wait: float) -> None:
        now[0] += wait

    former = retry.set_waiting(pass_time)
    try:
        call = Failing(*[ProviderDown("no")] * 9)
        with pytest.raises(ProviderDown):
            retry.retried(call, Deadline.after(seconds, clock=lambda: now[0]))
    finally:
        retry.set_waiting(former)
    assert call.calls == calls
    assert now[0] < seconds


def test_waits_are_real_unless_switched_off() -> None:
    started = time.monotonic()
    retry.retried(Failing(ProviderDown("no")), Deadline.after(LONG))
    assert 0.375 <= time.monotonic() - started < 1


def test_many_threads_retry_without_meeting(waits: list[float]) -> None:
    calls = [Failing(*[RateLimited("")] * 3) for _ in range(20)]
    threads = [
        threading.Thread(target=retry.retried, args=(call, Deadline.after(LONG))) for call in calls
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {call.calls for call in calls} == {4}
