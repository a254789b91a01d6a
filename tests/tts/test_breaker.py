"""When a provider is not asked: which errors open its breaker, for how long, and who tries."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tts.doubles import StubProvider
from tts.breaker import ACCOUNT, FAMILIES, OUTAGE, RATE, Breaker, Family, breaker_of
from tts.conf import TTSConfig
from tts.exceptions import (
    BreakerOpen,
    ConnectionFailed,
    ContentRefused,
    NotAudio,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    WrongKey,
)

ROOT = Path(__file__).parents[2]


class Seconds:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def breaker(clock: Seconds) -> Breaker:
    return Breaker("stub", clock)


def fail(breaker: Breaker, error: ProviderError | type[ProviderError]) -> type[ProviderError]:
    """How a guarded call of half a second ends that ends in this error."""

    def call() -> None:
        assert isinstance(breaker.clock, Seconds)
        breaker.clock.now += 0.5
        raise error if isinstance(error, ProviderError) else error("status 500")

    with pytest.raises(ProviderError) as caught:
        breaker.guarded(call)
    return type(caught.value)


def works(breaker: Breaker) -> bool:
    try:
        return breaker.guarded(lambda: True)
    except BreakerOpen:
        return False


@pytest.mark.parametrize("kind", [QuotaSpent, WrongKey])
def test_what_no_call_can_change_opens_it_at_once(breaker: Breaker, kind: type) -> None:
    assert fail(breaker, kind) is kind
    assert fail(breaker, kind) is BreakerOpen
    assert not works(breaker)


@pytest.mark.parametrize("kind", [RateLimited, ProviderDown, ConnectionFailed, ProviderTimeout])
def test_what_passes_opens_it_after_several_in_a_row(breaker: Breaker, kind: type) -> None:
    assert [fail(breaker, kind) for _ in range(6)] == [kind] * 5 + [BreakerOpen]


@pytest.mark.parametrize("kind", [ContentRefused, RequestRefused, NotAudio])
def test_what_concerns_one_clip_never_opens_it(breaker: Breaker, kind: type) -> None:
    assert {fail(breaker, kind) for _ in range(20)} == {kind}
    assert breaker.snapshot()["state"] == "closed"


def test_a_moment_of_trouble_is_what_retries_are_for(breaker: Breaker, clock: Seconds) -> None:
    def refused() -> None:
        raise ConnectionFailed("refused")

    for _ in range(100):  # at the same time, as far as the clock can tell
        with pytest.raises(ConnectionFailed):
            breaker.guarded(refused)
    assert works(breaker)
    for _ in range(4):
        with pytest.raises(ConnectionFailed):
            breaker.guarded(refused)
    clock.now += OUTAGE.lasting
    with pytest.raises(ConnectionFailed):
        breaker.guarded(refused)
    assert not works(breaker)


def test_a_success_between_failures_is_no_row(breaker: Breaker) -> None:
    for _ in range(4):
        for _ in range(4):
            assert fail(breaker, ProviderDown) is ProviderDown
        assert works(breaker)


def test_kinds_of_an_outage_are_one_row_and_kinds_apart_are_not(breaker: Breaker) -> None:
    for kind in (ProviderDown, ConnectionFailed, ProviderTimeout, ProviderDown):
        fail(breaker, kind)
    # It answered that it is asked too often: so it is there.
    for _ in range(4):
        assert fail(breaker, RateLimited) is RateLimited
    for _ in range(5):
        assert fail(breaker, ConnectionFailed) is ConnectionFailed
    assert fail(breaker, ConnectionFailed) is BreakerOpen


def test_an_error_of_the_class_itself_tells_nothing(breaker: Breaker) -> None:
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            breaker.guarded(lambda: 1 / 0)
    assert works(breaker)


@pytest.mark.parametrize("family", FAMILIES, ids=["account", "rate", "outage"])
def test_one_call_a_period_tries_again_and_the_period_grows_to_a_bound(
    breaker: Breaker, clock: Seconds, family: Family
) -> None:
    kind = family.kinds[0]
    for _ in range(family.failures):
        fail(breaker, kind)
    period = family.first
    for _ in range(12):
        clock.now += period - 0.01
        assert fail(breaker, kind) is BreakerOpen
        clock.now += 0.02
        assert fail(breaker, kind) is kind
        assert fail(breaker, kind) is BreakerOpen
        period = min(family.most, period * 2)
    assert period == family.most
    clock.now += family.most + 0.01
    assert works(breaker)
    assert works(breaker)
    assert breaker.opened == 1


def test_while_one_tries_the_others_are_refused_and_if_it_hangs_another_tries(
    breaker: Breaker, clock: Seconds
) -> None:
    fail(breaker, QuotaSpent)
    clock.now += ACCOUNT.first + 1
    trying, finish = threading.Event(), threading.Event()

    def hang() -> bool:
        trying.set()
        return finish.wait(5)

    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(breaker.guarded, hang)
        assert trying.wait(5)
        assert [works(breaker) for _ in range(20)] == [False] * 20
        clock.now += ACCOUNT.first
        assert works(breaker)
        finish.set()
        assert probe.result()


def test_of_many_at_once_one_tries(breaker: Breaker, clock: Seconds) -> None:
    fail(breaker, WrongKey)
    clock.now += ACCOUNT.first + 1
    start = threading.Barrier(32)

    def refused() -> None:
        raise WrongKey("status 401")

    def ask(_: int) -> type[ProviderError]:
        start.wait()
        with pytest.raises(ProviderError) as caught:
            breaker.guarded(refused)
        return type(caught.value)

    with ThreadPoolExecutor(32) as pool:
        kinds = [*pool.map(ask, range(32))]
    assert (kinds.count(WrongKey), kinds.count(BreakerOpen)) == (1, 31)
    assert breaker.refused == 31


def test_calls_begun_before_it_opened_do_not_lengthen_it(breaker: Breaker, clock: Seconds) -> None:
    def late() -> None:
        if breaker.refusal() is None:
            fail(breaker, QuotaSpent)
        raise QuotaSpent("status 402")

    with pytest.raises(QuotaSpent):
        breaker.guarded(late)
    clock.now += ACCOUNT.first + 0.01
    assert works(breaker)


def test_a_retry_after_is_kept_to(breaker: Breaker, clock: Seconds) -> None:
    for _ in range(RATE.failures):
        fail(breaker, RateLimited("status 429", retry_after=40))
    clock.now += 39
    assert not works(breaker)
    clock.now += 2
    assert works(breaker)


def test_the_error_says_who_why_and_how_long(breaker: Breaker) -> None:
    fail(breaker, QuotaSpent("stub: HTTP 401, quota_exceeded", provider="stub", status=401))
    refusal = breaker.refusal()
    assert refusal is not None
    assert str(refusal) == "stub is not asked for another 30 s: stub: HTTP 401, quota_exceeded"
    assert (refusal.provider, refusal.status, refusal.kind) == ("stub", 401, "quota_spent")
    assert refusal.retry_after == 30
    assert breaker.snapshot() == {
        "state": "open", "kind": "quota_spent", "seconds": 30.0, "opened": 1, "refused": 0,
    }  # fmt: skip


def test_it_keeps_no_error_and_so_no_request(breaker: Breaker) -> None:
    error = QuotaSpent("no credit left")
    kept = weakref.ref(error)
    fail(breaker, error)
    del error
    gc.collect()
    assert kept() is None


def test_a_change_of_state_is_logged_once(
    breaker: Breaker, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        fail(breaker, ProviderDown)
    for _ in range(3):
        clock.now += 61
        fail(breaker, ProviderDown)
        fail(breaker, ProviderDown)
    clock.now += 61
    works(breaker)
    works(breaker)
    said = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert said == [
        (logging.WARNING, "breaker open provider=stub kind=provider_down"),
        (logging.WARNING, "breaker closed provider=stub"),
    ]


def test_each_provider_object_has_one() -> None:
    one, two = StubProvider(TTSConfig()), StubProvider(TTSConfig())
    assert breaker_of(one) is breaker_of(one)
    assert breaker_of(one) is not breaker_of(two)


def test_a_forked_child_can_use_it_whoever_held_it() -> None:
    code = """
import os, signal, threading, time
from tts.breaker import Breaker
from tts.exceptions import BreakerOpen, QuotaSpent
signal.alarm(20)
breaker = Breaker("stub")
def spent(): raise QuotaSpent("no credit left")
try: breaker.guarded(spent)
except QuotaSpent: pass
def hold():
    with breaker._lock: time.sleep(3)
threading.Thread(target=hold, daemon=True).start()
time.sleep(0.2)
child = os.fork()
if child == 0:
    signal.alarm(10)
    try: breaker.guarded(spent)
    except BreakerOpen: os._exit(0)
    os._exit(1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)
