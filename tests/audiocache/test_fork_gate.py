"""Work inside and a fork exclude each other, within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from audiocache import fork_gate
from audiocache.fork_gate import ForkGate


@pytest.fixture
def gate() -> ForkGate:
    return ForkGate()


@contextmanager
def another_inside(gate: ForkGate) -> Iterator[threading.Event]:
    """A thread inside, until the event is set or the block ends."""
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with gate:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    entered.wait(10)
    yield leave
    leave.set()
    thread.join()


def test_a_fork_waits_until_the_others_have_left(gate: ForkGate) -> None:
    with another_inside(gate) as leave:
        threading.Timer(0.05, leave.set).start()
        started = time.monotonic()
        gate.shut()
        assert 0.04 <= time.monotonic() - started < fork_gate.PATIENCE_SECONDS
    gate.open()


def test_its_patience_is_bounded(gate: ForkGate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_gate, "PATIENCE_SECONDS", 0.05)
    with another_inside(gate):
        gate.shut()
        [inside] = gate._inside
        assert gate.holds(inside)
        gate.open_in_child()
        assert not gate.holds(inside)  # that thread is not in the child


def test_who_comes_meanwhile_waits_for_the_fork(gate: ForkGate) -> None:
    gate.shut()
    passed = threading.Event()

    def work() -> None:
        with gate:
            passed.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not passed.wait(0.05)
    gate.open()
    assert passed.wait(10)
    thread.join()


def test_who_forks_and_who_is_inside_may_enter_again(gate: ForkGate) -> None:
    me = threading.get_ident()
    with gate:
        gate.shut()
        with gate:
            assert gate.holds(me)
        assert gate.holds(me)
        gate.open_in_child()
        assert gate.holds(me)
    assert not gate.holds(me)


def test_nobody_works_while_others_fork(gate: ForkGate) -> None:
    busy, stop = [False] * 3, threading.Event()

    def work(number: int) -> None:
        while not stop.is_set():
            with gate:
                busy[number] = True
                time.sleep(0)
                busy[number] = False

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    seen = []
    for _ in range(50):
        gate.shut()
        seen += busy
        time.sleep(0.0005)
        seen += busy
        gate.open()
    stop.set()
    for worker in workers:
        worker.join()
    assert not any(seen)
