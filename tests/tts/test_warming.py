"""Warming speaks what is not stored, counts, and can be interrupted and run again."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.entries import Recording
from tests.tts.doubles import LocalStub, StubProvider
from tts.breaker import breaker_of
from tts.conf import TTSConfig
from tts.exceptions import ProviderDown, QuotaSpent, RateLimited
from tts.models import WarmPhrase
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.warming import Warming, stored_phrases, warm

REQUESTS = [SpeechRequest(f"Phrase number {n}.") for n in range(4)]


def test_what_is_stored_is_skipped(service: TTSService, provider: StubProvider) -> None:
    service.synthesize_sync(REQUESTS[1])
    result = warm(REQUESTS, service=service)
    assert (result.stored, result.skipped, result.failed, result.done) == (3, 1, 0, 4)
    assert warm(REQUESTS, service=service).skipped == 4
    assert len(provider.calls) == 4


def test_progress_is_told_after_each_phrase(service: TTSService) -> None:
    seen: list[int] = []
    warm(REQUESTS, lambda result: seen.append(result.done), service=service)
    assert seen == [1, 2, 3, 4]


def test_what_fails_is_counted_by_its_kind_and_the_rest_goes_on(
    service: TTSService, provider: StubProvider
) -> None:
    wrong = [SpeechRequest(""), SpeechRequest("Hello", voice="nobody")]
    result = warm([*wrong, *REQUESTS], service=service)
    assert (result.stored, result.failed) == (4, 2)
    assert result.errors == {"InvalidSpeechRequest": 2}
    provider.error = ProviderDown("status 500")
    result = warm([SpeechRequest("More.")], service=service)
    assert (result.errors, result.stopped_by) == ({"ProviderDown": 1}, "")


def test_an_error_that_would_meet_all_ends_it(service: TTSService, provider: StubProvider) -> None:
    provider.error = QuotaSpent("no credit left")
    result = warm(REQUESTS, service=service)
    assert (result.done, result.failed, result.stopped_by) == (1, 1, "QuotaSpent")
    assert len(provider.calls) == 1


def test_interrupted_it_is_run_again(cache: MultiTierAudioCache) -> None:
    provider = LocalStub(TTSConfig())
    service = TTSService(TTSConfig(), cache=cache, provider=provider)

    def interrupt_third(recording: Recording) -> Recording:
        if len(provider.calls) == 3:
            raise KeyboardInterrupt
        return recording

    provider.answer = interrupt_third
    with pytest.raises(KeyboardInterrupt):
        warm(REQUESTS, service=service)
    result = warm(REQUESTS, service=service)
    assert (result.skipped, result.stored) == (2, 2)


def test_a_namespace_is_warmed_for_itself(service: TTSService) -> None:
    assert warm(REQUESTS, service=service, namespace="tenant").stored == 4
    assert warm(REQUESTS, service=service).stored == 4


def test_switched_off_it_does_nothing(provider: StubProvider) -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory", enable_warming=False))
    result = warm(REQUESTS, service=TTSService(TTSConfig(), cache=cache, provider=provider))
    assert (result.switched_off, result.done) == (True, 0)


@pytest.mark.django_db
def test_the_phrases_of_the_admin_are_warmed(installed: TTSService, provider: StubProvider) -> None:
    WarmPhrase.objects.create(text="Hello.", voice="bass", language="de")
    WarmPhrase.objects.create(text="Goodbye.")
    WarmPhrase.objects.create(text="Never.", enabled=False)
    assert warm(stored_phrases()).stored == 2
    asked: list[Any] = [(call.text, call.voice, call.language) for call in provider.calls]
    assert asked == [("Hello.", "bass", "de"), ("Goodbye.", "alto", "en")]


@pytest.mark.django_db
def test_while_phrases_of_the_admin_are_spoken_no_query_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tts.warming.PORTION", 2)
    for number in range(5):
        WarmPhrase.objects.create(text=f"Phrase {number}.")
    with CaptureQueriesContext(connection) as queries:
        phrases = stored_phrases()
        assert [next(phrases).text for _ in range(3)] == [f"Phrase {n}." for n in range(3)]
        assert len(queries) == 2, "each is read to its end before a phrase is spoken"
        assert [one.text for one in phrases] == ["Phrase 3.", "Phrase 4."]


@pytest.mark.parametrize(("left", "stored"), [(0.1, 4), (30.0, 0)])
def test_a_breaker_that_opens_in_a_moment_does_not_end_it(
    service: TTSService, provider: StubProvider, left: float, stored: int
) -> None:
    breaker, ahead = breaker_of(provider), 0.0
    breaker.clock = lambda: time.monotonic() + ahead
    while breaker.refusal() is None:
        ahead += 1
        with pytest.raises(RateLimited):
            breaker.guarded(lambda: refuse(retry_after=left))
    ahead += max(0.0, 2 - left)  # it is open for two seconds at least
    result = warm(REQUESTS, service=service)
    assert (result.stored, result.stopped_by) == (stored, "" if stored else "BreakerOpen")


def refuse(retry_after: float) -> None:
    raise RateLimited("slow down", retry_after=retry_after)


def until_it_waits(thread: int) -> None:
    """For what has begun, and not for a thread to begin."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        frames = traceback.extract_stack(sys._current_frames()[thread])
        names = [frame.name for frame in frames]
        if names[-1] == "wait" and "start" not in names[-3:]:
            return
        time.sleep(0.01)


@pytest.mark.parametrize(("most", "under_way"), [(None, 1), (4, 3)])
def test_what_is_under_way_when_it_is_interrupted_is_counted(
    cache: MultiTierAudioCache, most: int | None, under_way: int
) -> None:
    config = TTSConfig(timeout=20, max_concurrent=most)
    provider = StubProvider(config)
    service = TTSService(config, cache=cache, provider=provider)
    main, seen = threading.main_thread().ident, [Warming()]
    assert main is not None

    def interrupt_once_all_ask(recording: Recording) -> Recording:
        if len(provider.calls) == under_way:
            until_it_waits(main)
            signal.pthread_kill(main, signal.SIGINT)
            provider.answer = lambda recording: recording
        time.sleep(0.2)  # what follows must come while these are under way
        return recording

    provider.answer = interrupt_once_all_ask
    with pytest.raises(KeyboardInterrupt):
        warm(REQUESTS, seen.append, service=service)
    held = [service.cache.holds(service.complete(request).clip()) for request in REQUESTS]
    assert seen[-1].stored == len(provider.calls) == sum(held) >= under_way


def test_what_is_under_way_is_counted_when_the_telling_is_interrupted(
    cache: MultiTierAudioCache,
) -> None:
    config = TTSConfig(timeout=20, max_concurrent=4)
    provider = StubProvider(config)
    provider.seconds = 0.1
    service, seen = TTSService(config, cache=cache, provider=provider), list[Warming]()

    def interrupted(warming: Warming) -> None:
        seen.append(warming)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warm(REQUESTS, interrupted, service=service)
    assert len(seen) == 1
    assert seen[-1].stored == len(provider.calls) == 3
