"""A tier on the ladder: passed over while it is broken, and asked again by the pulse."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from audiocache.exceptions import TierUnavailable
from audiocache.lru import ByteLRU
from audiocache.pulse import pulse
from audiocache.rung import Rung
from audiocache.stats import ERRORS, Recorder
from audiocache.tiers.memory import MemoryTier
from audiocache.workers import Inline


class Silent(MemoryTier):
    """Out of reach until told otherwise; tells how often it was asked."""

    broken = True
    asked = 0
    released = 0

    def check(self) -> None:
        self.asked += 1
        if self.broken:
            raise TierUnavailable("TimeoutError")

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def tier() -> Silent:
    return Silent(ByteLRU(10, 1000))


@pytest.fixture
def rung(tier: Silent) -> Rung:
    made = Rung(tier, Recorder(["memory"], enabled=True), Inline())
    ask(made)
    return made


def ask(rung: Rung) -> None:
    rung.attempt("get", lambda tier: tier.check())


def probe(rung: Rung) -> bool:
    """Once it is due; does it work?"""
    rung.circuit._probe_at = 0.0
    rung.probe()
    return rung.circuit.available


@pytest.fixture
def beating(tier: Silent) -> Iterator[None]:
    """A pulse that has something to do, and not now."""
    pulse.every(3600, tier.release)
    pulse.ensure()
    yield
    pulse.stop()


def test_a_probe_finds_that_it_works_again(rung: Rung, tier: Silent) -> None:
    assert not probe(rung)
    tier.broken = False
    assert probe(rung)
    assert (tier.asked, tier.released) == (3, 2)


def test_a_probe_that_fails_is_no_look_up_and_counts_no_error(rung: Rung) -> None:
    assert not probe(rung)
    assert rung.count.counts[ERRORS] == 1


def test_what_works_or_is_not_due_is_not_probed(rung: Rung, tier: Silent) -> None:
    rung.probe()
    assert tier.asked == 1
    rung.circuit.worked()
    rung.probe()
    assert tier.asked == 1


def test_without_a_pulse_a_caller_tries_and_with_one_none_does(
    rung: Rung, tier: Silent, beating: None
) -> None:
    rung.circuit._probe_at = time.monotonic() - 1
    ask(rung)
    assert tier.asked == 1
    pulse.stop()
    ask(rung)
    assert tier.asked == 2
