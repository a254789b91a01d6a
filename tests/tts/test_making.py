"""One place where a provider is called: what is told of it, and when it is asked again."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiocache.places import Places
from tests.tts.doubles import LocalStub, StubProvider
from tts import attempts, retry
from tts.attempts import Attempt, attempt_made
from tts.breaker import OUTAGE, breaker_of
from tts.conf import TTSConfig
from tts.deadline import Deadline
from tts.exceptions import (
    NotAudio,
    ProviderDown,
    ProviderTimeout,
    QuotaSpent,
    RateLimited,
    TTSError,
)
from tts.limits import CallLimits
from tts.making import make
from tts.providers.base import MissingExtra
from tts.speech import SpeechRequest

TEXT = "The ferry leaves from the second pier."


@pytest.fixture
def told() -> Iterator[list[Attempt]]:
    heard: list[Attempt] = []

    def hear(attempt: Attempt, **_: object) -> None:
        heard.append(attempt)

    attempt_made.connect(hear)
    with retry.without_waits():
        yield heard
    attempt_made.disconnect(hear)


def request(provider: StubProvider) -> SpeechRequest:
    return provider.complete(SpeechRequest(f"  {TEXT}"))


def test_a_call_is_told_without_its_text(provider: StubProvider, told: list[Attempt]) -> None:
    recording = make(provider, request(provider), 5)
    assert recording.content_type == "audio/wav"
    [attempt] = told
    assert attempt == Attempt(
        provider="stub",
        model=None,
        voice="alto",
        outcome="ok",
        status=None,
        latency_ms=attempt.latency_ms,
        billed_units=len(TEXT),
        number=1,
        source_key=request(provider).source_key,
    )
    assert 0 <= attempt.latency_ms < 2000
    assert "ferry" not in repr(attempt)


def test_the_provider_gets_the_normalised_text(provider: StubProvider) -> None:
    make(provider, request(provider), 5)
    assert provider.calls[0].text == TEXT


def test_each_attempt_is_told(provider: StubProvider, told: list[Attempt]) -> None:
    provider.error = RateLimited("no", provider="stub", status=429, request_id="r1")
    with pytest.raises(RateLimited):
        make(provider, request(provider), 60)
    assert [(a.number, a.outcome, a.status, a.request_id, a.billed_units) for a in told] == [
        (number, "rate_limited", 429, "r1", None) for number in (1, 2, 3, 4)
    ]


def test_a_refused_answer_may_have_been_billed(provider: StubProvider, told: list[Attempt]) -> None:
    provider.answer = lambda recording: dataclasses.replace(recording, audio=b"")
    with pytest.raises(NotAudio, match="empty"):
        make(provider, request(provider), 60)
    assert [(a.outcome, a.billed_units) for a in told] == [("not_audio", len(TEXT))] * 2


def test_what_a_cut_answer_was_billed_for_is_told(
    provider: StubProvider, told: list[Attempt]
) -> None:
    provider.error = ProviderTimeout("no whole answer", status=200)
    provider.error.billed_units = 7
    with pytest.raises(ProviderTimeout):
        make(provider, request(provider), 60)
    assert {(a.outcome, a.billed_units) for a in told} == {("provider_timeout", 7)}


def test_what_runs_in_this_process_is_asked_once(told: list[Attempt]) -> None:
    provider = LocalStub(TTSConfig())
    provider.error = ProviderDown("no")
    with pytest.raises(ProviderDown):
        make(provider, request(provider), 5)
    assert [a.outcome for a in told] == ["provider_down"]


def test_a_fault_of_the_class_is_told_and_raised(
    provider: StubProvider, told: list[Attempt]
) -> None:
    provider.error = KeyError("voice")
    with pytest.raises(KeyError):
        make(provider, request(provider), 5)
    assert [a.outcome for a in told] == ["broken"]


def test_a_receiver_that_raises_does_not_lose_the_clip(
    provider: StubProvider, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("of a receiver")

    attempt_made.connect(fail)
    try:
        with caplog.at_level(logging.CRITICAL, "django.dispatch"):
            assert make(provider, request(provider), 5).audio
    finally:
        attempt_made.disconnect(fail)


def test_calls_are_counted_by_outcome(provider: StubProvider, told: list[Attempt]) -> None:
    before = attempts.counts.snapshot().get("stub", {})
    make(provider, request(provider), 5)
    provider.error = QuotaSpent("no credit")
    with pytest.raises(QuotaSpent):
        make(provider, request(provider), 5)
    after = attempts.counts.snapshot()["stub"]
    assert after["ok"] == before.get("ok", 0) + 1
    assert after["quota_spent"] == before.get("quota_spent", 0) + 1


def test_without_tenacity_it_is_one_sentence(
    provider: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'django-audiocache\[tts\]'"):
        make(provider, request(provider), 5)


class TestTheQueueIsNoAnswer:
    """What the breaker counts is how calls end, and not what kept them from being made."""

    def ask(self, provider: StubProvider, limits: CallLimits, seconds: float = 5) -> str:
        with pytest.raises(TTSError) as caught:
            make(provider, request(provider), seconds, limits)
        return type(caught.value).__name__

    def test_a_pause_for_all_neither_opens_the_breaker_nor_ends_a_row(
        self, provider: StubProvider, told: list[Attempt]
    ) -> None:
        breaker, limits = breaker_of(provider), CallLimits(provider, None, Places([]))
        provider.error = ProviderDown("no", status=500)
        assert self.ask(provider, limits) == "ProviderDown"
        limits.heed(RateLimited("no", status=429, retry_after=30))
        breaker.clock = lambda: time.monotonic() + OUTAGE.lasting
        assert {self.ask(provider, limits) for _ in range(6)} == {"RateLimited"}
        assert (breaker.snapshot()["state"], len(told)) == ("closed", 3)
        rested = CallLimits(provider, None, Places([]))
        assert self.ask(provider, rested) == "BreakerOpen"  # after two more that failed
        assert len(told) == 5

    def test_time_in_the_queue_is_no_time_of_failures(
        self, provider: StubProvider, told: list[Attempt]
    ) -> None:
        breaker, limits = breaker_of(provider), CallLimits(provider, 1, Places([]))
        breaker.clock = clock = Clock()
        provider.error = ProviderDown("no", status=500)
        with ThreadPoolExecutor(5) as pool:
            with limits.place(Deadline.after(20), Deadline.after(20)):
                waiting = [pool.submit(self.ask, provider, limits, 20) for _ in range(5)]
                while limits.stats()["waiting"] != 5:
                    time.sleep(0.001)
                clock.now += OUTAGE.lasting + 1
            assert {one.result() for one in waiting} == {"ProviderDown"}
        assert (breaker.snapshot()["state"], len(told)) == ("closed", 15)

    def test_who_finds_it_open_does_not_queue_and_who_queues_does_not_call(
        self, provider: StubProvider
    ) -> None:
        breaker, limits = breaker_of(provider), CallLimits(provider, 1, Places([]))
        with ThreadPoolExecutor(1) as pool:
            with limits.place(Deadline.after(20), Deadline.after(20)):
                waiting = pool.submit(self.ask, provider, limits, 20)
                while limits.stats()["waiting"] != 1:
                    time.sleep(0.001)
                with pytest.raises(QuotaSpent):
                    breaker.guarded(spent)
                assert self.ask(provider, limits, 0.1) == "BreakerOpen"
            assert waiting.result() == "BreakerOpen"
        assert (provider.calls, breaker.refused) == ([], 2)


class Clock:
    """Seconds, moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def spent() -> None:
    raise QuotaSpent("no credit")
