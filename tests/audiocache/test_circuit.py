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
