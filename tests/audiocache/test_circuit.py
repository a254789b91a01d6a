"""Passing over what is broken: open after an outage, one probe a period, one line a change."""

from __future__ import annotations

import logging

import pytest

from audiocache.circuit import Circuit
from audiocache.exceptions import TierBusy, TierError, TierUnavailable


class Seconds:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def circuit(seconds: Seconds) -> Circuit:
    return Circuit("distributed", period=5.0, clock=seconds)


def test_closed_it_lets_everybody_through(circuit: Circuit) -> None:
    assert circuit.available
    assert all(circuit.allows() for _ in range(10))


def test_open_it_lets_one_through_each_period(circuit: Circuit, seconds: Seconds) -> None:
    circuit.failed(TierUnavailable("gone"))
    assert not circuit.available
    assert not circuit.allows()
    seconds.now += 4.9
    assert not circuit.allows()
    seconds.now += 0.1
    assert [circuit.allows() for _ in range(3)] == [True, False, False]
    circuit.failed(TierUnavailable("still gone"))
    seconds.now += 4.9
    assert not circuit.allows()
    seconds.now += 0.1
    assert circuit.allows()


def test_a_success_closes_it(circuit: Circuit) -> None:
    circuit.failed(TierUnavailable("gone"))
    circuit.worked()
    assert circuit.available
    assert all(circuit.allows() for _ in range(3))


def test_the_first_probe_is_soon_and_each_later_one_after_twice_as_long(seconds: Seconds) -> None:
    circuit = Circuit("distributed", period=5.0, first=0.5, clock=seconds)
    for _ in range(2):  # after it worked, it begins anew
        circuit.failed(TierUnavailable("gone"))
        pauses = []
        for _ in range(6):
            began = seconds.now
            while not circuit.allows():
                seconds.now += 0.25
            pauses.append(seconds.now - began)
            circuit.failed(TierUnavailable("still gone"))
        assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        circuit.worked()


def test_who_has_patience_leaves_the_probe_to_another_until_it_is_overdue(
    circuit: Circuit, seconds: Seconds
) -> None:
    circuit.failed(TierUnavailable("gone"))
    seconds.now += 9.9
    assert not circuit.allows(patience=5.0)
    seconds.now += 0.1
    assert [circuit.allows(patience=5.0) for _ in range(2)] == [True, False]
    seconds.now += 5.0
    assert circuit.allows()


def test_who_refuses_is_there_and_who_is_busy_tells_nothing(circuit: Circuit) -> None:
    circuit.failed(TierUnavailable("gone"))
    circuit.failed(TierBusy("full"))
    assert not circuit.available
    circuit.failed(TierError("OOM"))
    assert circuit.available


@pytest.mark.parametrize("error", [TierBusy("full"), TierError("READONLY")], ids=repr)
def test_trouble_that_is_no_outage_leaves_it_closed(circuit: Circuit, error: TierError) -> None:
    circuit.failed(error)
    assert circuit.available
    assert circuit.allows()


def test_it_logs_once_per_change_of_state(
    circuit: Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "audiocache")
    for _ in range(3):
        circuit.failed(TierUnavailable("ConnectionError"))
    circuit.failed(TierBusy("full"))
    for _ in range(3):
        circuit.worked()
    circuit.failed(TierUnavailable("ConnectionError"))
    assert [(line.levelname, line.getMessage()) for line in caplog.records] == [
        ("WARNING", "tier in trouble tier=distributed kind=TierUnavailable error=ConnectionError"),
        ("WARNING", "tier in trouble tier=distributed kind=TierBusy error=full"),
        ("WARNING", "tier works again tier=distributed"),
        ("WARNING", "tier in trouble tier=distributed kind=TierUnavailable error=ConnectionError"),
    ]


def test_what_fails_in_one_operation_alone_is_told_once(
    circuit: Circuit, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is full or read-only answers every look-up, for hours."""
    for _ in range(100):
        circuit.failed(TierError("OOM"), "put")
        circuit.worked("get")
        seconds.now += 60
    circuit.worked("put")
    circuit.worked("put")
    assert [line.getMessage() for line in caplog.records] == [
        "tier in trouble tier=distributed kind=TierError error=OOM",
        "tier works again tier=distributed",
    ]


def test_what_fails_now_and_then_is_told_once(
    circuit: Circuit, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        circuit.failed(TierBusy("full"), "get")
        seconds.now += 1
        circuit.worked("get")
    seconds.now += 5
    circuit.worked("get")
    assert [line.getMessage() for line in caplog.records] == [
        "tier in trouble tier=distributed kind=TierBusy error=full",
        "tier works again tier=distributed",
    ]
