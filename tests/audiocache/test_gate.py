"""The fair gate: so many at once, first come first served, and nobody waits too long."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from audiocache.gate import Gate


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_no_more_enter_than_there_are_places() -> None:
    gate = Gate(2)
    assert gate.enter(0)
    assert gate.enter(0)
    assert not gate.enter(0.01)
    gate.leave()
    assert gate.enter(0)


def test_who_gave_up_takes_no_place() -> None:
    gate = Gate(1)
    assert gate.enter(0)
    assert not gate.enter(0.01)
    gate.leave()
    assert gate.enter(0)
    assert not gate._waiting


def test_first_come_first_served() -> None:
    gate = Gate(1)
    assert gate.enter(0)
    order: list[int] = []

    def wait(number: int) -> None:
        assert gate.enter(10)
        order.append(number)
        gate.leave()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        wait_until(lambda: len(gate._waiting) == len(threads))
    gate.leave()
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))
    assert gate.enter(0)


def test_a_place_handed_over_at_the_last_moment_is_taken() -> None:
    gate = Gate(1)
    turn = threading.Lock()
    assert gate._gave_up(turn)


class TimeLimit(Exception):
    """As Celery's, of a task."""


@pytest.mark.parametrize("handed_over", [False, True])
def test_who_is_taken_away_while_waiting_takes_no_place_along(handed_over: bool) -> None:
    gate = Gate(1)
    assert gate.enter(0)

    def end(*_: object) -> None:
        if handed_over:  # in this very moment
            gate.leave()
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeLimit):
            gate.enter(10)
    finally:
        signal.signal(signal.SIGALRM, before)
    if not handed_over:
        gate.leave()
    assert (gate.waiting, gate.inside) == (0, 0)
    assert gate.enter(0)


def test_many_threads_are_never_more_than_the_places(
    in_threads: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    gate, inside, most = Gate(3), [0], [0]

    def work(_: int) -> None:
        for _ in range(50):
            assert gate.enter(10)
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1
            gate.leave()

    in_threads(16, work)
    assert 1 <= most[0] <= 3
    assert (gate._free, len(gate._waiting)) == (3, 0)


def test_in_a_child_nobody_is_inside() -> None:
    gate = Gate(1)
    gate.enter(0)
    gate.after_fork()
    assert gate.enter(0)
