"""While the provider fails: an older clip is served, and the provider is left alone."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from audiocache import CacheConfig, MultiTierAudioCache
from tests.factories import HOUR, FakeClock
from tests.tts.databases import ALIASES
from tests.tts.doubles import LocalStub
from tests.tts.outages.conftest import TEXT, Moment, Speak, asking, speaker
from tests.tts.vendors import elevenlabs
from tests.tts.vendors.misbehaving import reset, silence
from tests.tts.vendors.server import Behaviour, Heard, Reply, Server, as_json
from tts.conf import TTSConfig
from tts.exceptions import (
    BreakerOpen,
    NotAudio,
    ProviderDown,
    ProviderError,
    QuotaSpent,
    RequestRefused,
    SpeechTimeout,
)
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest
from tts.warming import warm

DOWN = Reply(503)
SPENT = elevenlabs.refusal(401, "quota_exceeded")
WRONG_KEY = elevenlabs.refusal(401, "invalid_api_key")
HTML = Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"})
REFUSED = Reply(451)

FAILURES: list[tuple[Behaviour, int]] = [
    (SPENT, 1),
    (WRONG_KEY, 1),
    (DOWN, 3),
    (reset, 3),
    (Reply(429), 4),
    (HTML, 2),
    (elevenlabs.refusal(404, "voice_not_found"), 1),
]
"""What the server does, and how many attempts that is."""


def counts(cache: MultiTierAudioCache, event: str) -> dict[str, int]:
    found: dict[str, int] = cache.get_comprehensive_stats()["performance"][event]
    return found


@pytest.mark.parametrize(("failure", "attempts"), FAILURES)
def test_an_expired_clip_is_served_and_marked(
    speak: Speak,
    service: TTSService,
    server: Server,
    clock: FakeClock,
    failure: Behaviour,
    attempts: int,
) -> None:
    fresh = speak()
    clock.now += HOUR
    server.behave = failure
    stale = speak()
    assert (fresh.stale, stale.stale) == (False, True)
    assert stale.audio == fresh.audio
    assert (stale.tier, stale.fallback) == ("memory", False)
    assert len(server.heard) == 1 + attempts
    assert counts(service.cache, "stale")["memory"] == 1
    assert counts(service.cache, "misses")["memory"] == 2
    assert service.get_provider_stats()[0]["stale"] == 1


def test_what_the_provider_refuses_to_say_is_not_said(
    speak: Speak, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += HOUR
    server.behave = REFUSED
    with pytest.raises(ProviderError, match="451"):
        speak()


def test_after_the_window_or_without_one_the_error_is_raised(
    speak: Speak, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += 2 * HOUR
    server.behave = DOWN
    with pytest.raises(ProviderDown):
        speak()
    with pytest.raises(ProviderDown):
        speak("Nobody ever said this.")


def test_the_window_is_closed_by_the_setting(server: Server, how: str, clock: FakeClock) -> None:
    cache = MultiTierAudioCache(CacheConfig(backend="memory", ttl_hours=1), clock=clock)
    speak = speaker(TTSService(asking(server), cache=cache), how)
    speak()
    clock.now += HOUR
    server.behave = SPENT
    with pytest.raises(QuotaSpent):
        speak()
    cache.close()


def test_the_provider_is_not_asked_for_it_again_for_a_while(
    speak: Speak,
    service: TTSService,
    server: Server,
    clock: FakeClock,
    moment: Moment,
) -> None:
    fresh = speak()
    clock.now += HOUR
    server.next.extend([DOWN] * 3)
    assert speak().stale
    assert len(server.heard) == 4
    # It would work again; but each who asks would wait for it, were it not so.
    assert [speak().stale for _ in range(10)] == [True] * 10
    assert len(server.heard) == 4
    assert counts(service.cache, "stale")["memory"] == 11
    assert counts(service.cache, "misses")["memory"] == 12  # one for each look-up
    moment.now += 30
    renewed = speak()
    assert (renewed.stale, renewed.tier) == (False, "provider")
    assert renewed.audio == fresh.audio
    assert speak().tier == "memory"
    assert len(server.heard) == 5


def test_while_one_clip_rests_another_is_asked_for(
    speak: Speak, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += HOUR
    server.next.extend([DOWN] * 3)
    assert speak().stale
    assert speak("Another.").tier == "provider"


def test_a_fresh_clip_that_came_meanwhile_ends_the_rest(
    speak: Speak, service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += HOUR
    server.next.extend([DOWN] * 3)
    assert speak().stale
    service.warm_cache([(TEXT, b"ID3 another process stored it")])
    assert speak().audio.startswith(b"ID3 another")


def test_a_removed_clip_is_never_served_and_the_provider_is_asked(
    speak: Speak, service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    key = speak().key
    clock.now += HOUR
    server.next.extend([DOWN] * 3)
    assert speak().stale
    service.cache.discard_many([key])
    assert (speak().stale, speak().tier) == (False, "memory")
    service.cache.clear()
    server.behave = SPENT
    with pytest.raises(QuotaSpent):
        speak()


def test_a_look_up_of_what_rested_and_is_gone_is_one_miss(
    speak: Speak, service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += HOUR
    server.next.extend([DOWN] * 3)
    assert speak().stale
    service.cache.clear()
    before = counts(service.cache, "misses")["memory"]
    assert speak().tier == "provider"
    assert counts(service.cache, "misses")["memory"] == before + 1


def test_a_removal_while_the_provider_fails_wins(
    speak: Speak, service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    speak()
    clock.now += HOUR

    def removed_meanwhile(line: object, heard: Heard) -> bool:
        service.cache.clear()
        return SPENT(line, heard)  # type: ignore[arg-type]

    server.behave = removed_meanwhile
    with pytest.raises(QuotaSpent):
        speak()


def test_an_open_breaker_costs_no_call_and_no_time(
    speak: Speak,
    service: TTSService,
    server: Server,
    clock: FakeClock,
    moment: Moment,
) -> None:
    speak()
    clock.now += HOUR
    server.behave = SPENT
    with pytest.raises(QuotaSpent):
        speak("New.")
    started = time.monotonic()
    for number in range(20):
        with pytest.raises(BreakerOpen, match="not asked for another 30 s: elevenlabs: HTTP 401"):
            speak(f"New {number}.")
        assert speak().stale
    assert time.monotonic() - started < 1
    assert len(server.heard) == 2
    [provider] = service.get_provider_stats()
    assert (provider["state"], provider["kind"]) == ("open", "quota_spent")
    assert (provider["refused"], provider["stale"]) == (20, 20)
    # The account is topped up: one call a period finds out.
    server.behave = elevenlabs.answer
    moment.now += 31
    assert speak("New.").tier == "provider"
    assert speak().tier == "provider"
    assert service.get_provider_stats()[0]["state"] == "closed"


def test_a_dead_provider_is_asked_five_times_and_then_now_and_then(
    speak: Speak, server: Server, moment: Moment
) -> None:  # fmt: skip
    server.behave = DOWN
    kinds = []
    for number in range(10):
        moment.now += 2 if number < 2 else 0
        with pytest.raises(ProviderError) as caught:
            speak(f"Number {number}.")
        kinds.append(type(caught.value))
    # The second's third attempt is not made any more.
    assert kinds == [ProviderDown] + [BreakerOpen] * 9
    assert len(server.heard) == 5
    for number in range(5):
        moment.now += 61  # the longest period, and more
        with pytest.raises(BreakerOpen):
            speak(f"Again {number}.")
    assert len(server.heard) == 10


def test_bad_requests_and_bad_sound_close_no_door(
    speak: Speak, service: TTSService, server: Server
) -> None:  # fmt: skip
    server.behave = as_json(400, {"detail": {"status": "bad"}})
    for number in range(10):
        with pytest.raises(RequestRefused):
            speak(f"Number {number}.")
    server.behave = HTML
    for number in range(10):
        with pytest.raises(NotAudio):
            speak(f"Other {number}.")
    server.behave = elevenlabs.answer
    assert speak().tier == "provider"
    assert service.get_provider_stats()[0]["opened"] == 0


def test_who_would_wait_too_long_gets_the_older_clip(
    server: Server, cache: MultiTierAudioCache, clock: FakeClock, how: str
) -> None:  # fmt: skip
    service = TTSService(asking(server, timeout=0.5), cache=cache)
    speak = speaker(service, how)
    speak()
    clock.now += HOUR
    server.behave = silence(lambda: server)
    started = time.monotonic()
    assert speak().stale
    assert 0.4 < time.monotonic() - started < 1.5
    started = time.monotonic()
    assert speak().stale  # the call goes on, and nobody waits for it
    assert time.monotonic() - started < 0.2
    assert len(server.heard) == 2
    with pytest.raises((SpeechTimeout, ProviderError)):
        speak("Nobody ever said this.")
    service.close()


def test_a_crowd_that_meets_an_outage_is_one_set_of_attempts(
    service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    request = SpeechRequest(TEXT)
    service.synthesize_sync(request)
    clock.now += HOUR

    def slowly(line: object, heard: Heard) -> bool:
        time.sleep(0.1)
        return DOWN(line, heard)  # type: ignore[arg-type]

    server.behave = slowly
    start = threading.Barrier(51)

    def ask(_: int) -> Speech:
        start.wait()
        return service.synthesize_sync(request)

    async def all_ask() -> list[Speech]:
        await asyncio.to_thread(start.wait)
        return await asyncio.gather(*(service.synthesize(request) for _ in range(200)))

    with ThreadPoolExecutor(51) as pool:
        tasks = pool.submit(lambda: asyncio.run(all_ask()))
        speeches = [*pool.map(ask, range(50)), *tasks.result()]
    assert {speech.stale for speech in speeches} == {True}
    assert len(server.heard) == 4
    assert counts(service.cache, "stale")["memory"] == 250


# From the database


@pytest.mark.parametrize("alias", ALIASES)
def test_a_stale_clip_of_the_database_fills_memory_with_the_life_it_has(
    server: Server, clock: FakeClock, alias: str, how: str
) -> None:  # fmt: skip
    config = CacheConfig(
        backend="database", persistent_database=alias, ttl_hours=1, stale_if_error_hours=1
    )
    caches = [MultiTierAudioCache(config, clock=clock) for _ in range(2)]
    first, second = (TTSService(asking(server), cache=each) for each in caches)
    stored = first.synthesize_sync(SpeechRequest(TEXT)).entry
    clock.now += HOUR
    server.behave = SPENT
    # Another process, whose memory never had it.
    speak = speaker(second, how)
    found = [speak() for _ in range(3)]
    assert [speech.tier for speech in found] == ["persistent", "memory", "memory"]
    for speech in found:
        assert speech.stale
        assert speech.audio == stored.audio
        assert (speech.entry.expires, speech.entry.keep_until) == (
            stored.expires,
            stored.keep_until,
        )
    assert counts(caches[1], "stale") == {"memory": 2, "persistent": 1, "distributed": 0}
    assert counts(caches[1], "backfills")["memory"] == 1
    assert counts(caches[1], "hits")["memory"] == 0
    clock.now += HOUR
    with pytest.raises(ProviderError):
        speak()
    for each in caches:
        each.close()


def test_warming_counts_no_older_clip_as_stored(
    service: TTSService, server: Server, clock: FakeClock
) -> None:  # fmt: skip
    service.synthesize_sync(SpeechRequest(TEXT))
    clock.now += HOUR
    server.behave = DOWN
    result = warm([SpeechRequest(TEXT)], service=service)
    assert (result.stored, result.errors) == (0, {"Stale": 1})
    server.behave = SPENT
    requests = [SpeechRequest(f"Number {n}.") for n in range(9)]
    assert [warm(requests, service=service).stopped_by for _ in range(2)] == [
        "QuotaSpent",
        "BreakerOpen",
    ]
    assert len(server.heard) == 5


def test_a_broken_local_voice_is_overcome_too(
    cache: MultiTierAudioCache, clock: FakeClock, how: str
) -> None:  # fmt: skip
    provider = LocalStub(TTSConfig())
    service = TTSService(TTSConfig(), cache=cache, provider=provider)
    speak = speaker(service, how)
    speak()
    clock.now += HOUR
    provider.error = ProviderDown("the library is gone")
    assert [speak().stale for _ in range(3)] == [True] * 3
    assert len(provider.calls) == 2
