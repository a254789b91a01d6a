"""A day of a team, in which everything happens that costs money, and a count made by hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from audiocache.cache import MultiTierAudioCache
from audiocache.charges import CAUSES
from audiocache.conf import CacheConfig
from audiocache.models import AudioCacheEntry, Charge
from audiocache.pulse import pulse
from tests.audiocache.test_flights import wait_until
from tests.factories import FakeClock
from tests.tts.databases import ALIASES
from tests.tts.vendors import elevenlabs, openai
from tests.tts.vendors.server import Reply, Server
from tts import accounts, renditions, retry
from tts.accounts import Again
from tts.conf import TTSConfig
from tts.exceptions import (
    NotAudio,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    SpeechTimeout,
)
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.wishes import Wishes, speech_by

MORNING = 1_795_305_600_000  # 2026-11-22
HOUR = 3_600_000
NOON = MORNING + 12 * HOUR
PRICES = [
    {"provider": "openai", "model": "tts-1", "rate": 15},
    {"provider": "openai", "model": "tts-1", "rate": 20, "since": "2026-11-22T12:00"},
    {"provider": "elevenlabs", "rate": 80},
]
WELCOME = "Welcome aboard."  # 15 characters
GATE = "To gate 7."  # 10
LATE = "We are 5 min late."  # 18


class Day:
    """Two vendors, a service before each, one cache and a clock."""

    def __init__(self, cache: MultiTierAudioCache, clock: FakeClock, *servers: Server) -> None:
        self.cache, self.clock = cache, clock
        self.openai, self.elevenlabs = servers
        self.first = self.service(self.openai, PROVIDER="openai", API_KEY=openai.KEY, MODEL="tts-1")
        self.other = self.service(
            self.elevenlabs, PROVIDER="elevenlabs", API_KEY=elevenlabs.KEY, FORMAT="mp3"
        )

    def service(self, server: Server, **tts: Any) -> TTSService:
        path = "/v1" if server is self.openai else ""
        given = {"BASE_URL": f"{server.url}{path}", "PRICES": PRICES, "FORMAT": "wav", **tts}
        return TTSService(TTSConfig.of_dict(given), cache=self.cache)

    def at(self, hour: float) -> None:
        self.clock.now = int(MORNING + hour * HOUR)

    def say(self, text: str, times: int = 1, by: TTSService | None = None) -> int | None:
        service = by or self.first
        spoken = [service.synthesize_sync(SpeechRequest(text)) for _ in range(times)]
        return spoken[-1].cost

    def close(self) -> None:
        self.first.close()
        self.other.close()
        self.cache.close()


@pytest.fixture(params=ALIASES)
def day(request: pytest.FixtureRequest) -> Iterator[Day]:
    clock = FakeClock(MORNING)
    config = CacheConfig(persistent_database=request.param, ttl_hours=4)
    cache = MultiTierAudioCache(config, clock=clock)
    with (
        retry.without_waits(),
        openai.server() as first,
        elevenlabs.server() as other,
        override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": request.param}),
    ):
        day = Day(cache, clock, first, other)
        yield day
        day.close()
    pulse.stop()
    connections[request.param].close()


def test_a_day_is_what_a_count_by_hand_says(day: Day) -> None:
    """Must show 2."""
    day.at(8)
    assert day.say(WELCOME) == 225  # 15 x 15
    day.say(WELCOME, 3)  # saves 3 x 225
    assert day.say(GATE, by=day.other) == 800  # 10 x 80
    day.say(GATE, 2, by=day.other)  # saves 2 x 800

    day.at(9)  # two failures, then it works: 18 x 15
    day.openai.next += [openai.refusal(500, "server_error", None), openai.BUSY]
    assert day.say(LATE) == 270

    day.at(10)  # it answers with no sound twice, which is billed: 2 x 10 x 15
    silence = Reply(body=b'{"oh": "no"}', headers={"Content-Type": "application/json"})
    day.openai.next += [silence, silence]
    with pytest.raises(NotAudio):
        day.say(GATE)

    day.at(11.9)  # all of it fails, and costs nothing
    day.openai.next += [openai.refusal(503, "server_error", None)] * 3
    with pytest.raises(ProviderDown):
        day.say("Nobody hears this.")

    day.at(12)  # WELCOME has expired, and the price has changed: 15 x 20
    assert day.say(WELCOME) == 300
    day.say(WELCOME)  # saves 300
    day.say(LATE)  # bought at nine: saves 270

    day.at(12.5)  # somebody removes it: 18 x 20
    day.cache.flush()
    day.cache.discard(day.first.prepared(SpeechRequest(LATE), "").clip)
    assert day.say(LATE) == 360
    again = speech_by(day.first, SpeechRequest(LATE), Wishes(no_cache=True))
    assert again.cost == 360
    day.cache.flush()

    found = accounts.summary(MORNING)
    bought = 225 + 800 + 270 + 300 + 300 + 360 + 360
    assert found.spent == bought
    assert found.saved == 3 * 225 + 2 * 800 + 300 + 270
    assert found.characters == 15 + 10 + 18 + 20 + 15 + 18 + 18
    assert (found.calls, found.begun, found.unpriced) == (1 + 1 + 3 + 2 + 3 + 1 + 1 + 1, 0, 0)
    assert found.calls == len(day.openai.heard) + len(day.elevenlabs.heard)
    assert found.again == [
        Again("cache_off", 1, 360), Again("removed", 1, 360), Again("expired", 1, 300),
    ]  # fmt: skip
    outcomes = {(line.provider, line.outcome): line.cost for line in accounts.lines()}
    assert outcomes == {
        ("elevenlabs", "ok"): 800,
        ("openai", "ok"): bought - 800 - 300,
        ("openai", "not_audio"): 300,
        ("openai", "provider_down"): 0,
        ("openai", "rate_limited"): 0,
    }
    morning, afternoon = accounts.summary(MORNING, NOON), accounts.summary(NOON)
    assert (morning.spent, afternoon.spent) == (225 + 800 + 270 + 300, 300 + 360 + 360)


def test_no_charge_holds_a_text(day: Day) -> None:
    day.say(WELCOME)
    [charge] = Charge.objects.using(day.cache.config.persistent_database).values()
    assert not any("aboard" in str(value) for value in charge.values())
    assert (charge["provider"], charge["model"], charge["units"]) == ("openai", "tts-1", 15)


def test_what_was_paid_stands_with_the_clip(day: Day) -> None:
    day.say(WELCOME)
    row = AudioCacheEntry.objects.using(day.cache.config.persistent_database).get()
    assert (row.cost, row.billed_units) == (225, 15)


def test_the_vendors_own_count_is_what_is_billed(day: Day) -> None:
    day.elevenlabs.behave = _billed_as("7")
    assert day.say(GATE, by=day.other) == 560
    [line] = accounts.lines()
    assert (line.units, line.characters, line.cost) == (7, 7, 560)


@pytest.mark.parametrize("absurd", ["9" * 18, "9" * 14, "1001"])
def test_a_count_that_no_text_can_cost_is_not_believed(
    day: Day, absurd: str, caplog: pytest.LogCaptureFixture
) -> None:
    day.elevenlabs.next.append(_billed_as(absurd))
    assert day.say(GATE, by=day.other) == 800  # its rule
    [charge] = Charge.objects.using(day.cache.config.persistent_database).values()
    assert (charge["units"], charge["cost"], charge["estimated"]) == (10, 800, True)
    row = AudioCacheEntry.objects.using(day.cache.config.persistent_database).get()
    assert (row.cost, row.billed_units) == (800, None)
    assert "is not believed: elevenlabs" in caplog.text
    assert day.say(WELCOME, by=day.other) == 1200
    assert accounts.summary().spent == 2000


def test_an_answer_without_its_end_is_billed_as_its_head_says(day: Day) -> None:
    at_once = threading.Event()
    at_once.set()
    day.elevenlabs.next += [_without_end("7", at_once)] * 2
    with pytest.raises(NotAudio, match="broke off"):
        day.say(GATE, by=day.other)
    hurried = day.service(
        day.elevenlabs, PROVIDER="elevenlabs", API_KEY=elevenlabs.KEY, FORMAT="mp3", TIMEOUT=0.5
    )
    day.elevenlabs.next.append(_without_end("9", day.elevenlabs.closing))
    with pytest.raises((ProviderTimeout, SpeechTimeout)):
        day.say(LATE, by=hurried)
    hurried.close()
    wait_until(lambda: accounts.summary().begun == 0)
    outcomes = {line.outcome: (line.calls, line.units, line.cost) for line in accounts.lines()}
    assert outcomes == {"cut_answer": (2, 14, 1120), "provider_timeout": (1, 9, 720)}


def test_a_stream_without_its_end_is_billed_as_its_head_says(day: Day) -> None:
    end = threading.Event()
    day.elevenlabs.next.append(_without_end("7", end))
    heard = iter(day.other.stream_sync(SpeechRequest(" ".join([LATE] * 20))))
    assert next(heard)
    end.set()
    with pytest.raises(ProviderError):
        list(heard)
    assert [(line.units, line.cost) for line in accounts.lines()] == [(7, 560)]


def test_a_stream_is_paid_for_as_well(day: Day) -> None:
    heard = day.first.stream_sync(SpeechRequest(WELCOME))
    assert b"".join(heard)
    assert heard.speech is not None
    assert (heard.speech.cost, accounts.summary().spent) == (225, 225)


def test_namespaces_pay_for_themselves(day: Day) -> None:
    for name in ("a", "b", "a"):
        day.first.synthesize_sync(SpeechRequest(WELCOME), namespace=name)
    rows = Charge.objects.using(day.cache.config.persistent_database).order_by("id")
    assert [row.namespace for row in rows] == ["a", "b"]
    assert accounts.paid_again() == []


def test_without_a_price_it_is_told_that_nobody_knows(day: Day) -> None:
    service = day.service(day.openai, PROVIDER="openai", API_KEY=openai.KEY, MODEL="tts-1-hd")
    assert day.say(WELCOME, by=service) is None
    found = accounts.summary()
    assert (found.spent, found.unpriced, found.characters) == (0, 1, 15)
    service.close()


def test_a_format_bought_for_the_first_time_is_not_paid_again(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renditions, "can_decode", lambda: False)
    given = {"PROVIDER": "elevenlabs", "API_KEY": elevenlabs.KEY, "FORMAT": "mp3_44100_128"}
    service = day.service(day.elevenlabs, PAY_FOR_EACH_FORMAT=True, **given)
    first, second = SpeechRequest(GATE), SpeechRequest(GATE, audio_format="mp3_22050_32")
    for request in (first, second, first):
        service.synthesize_sync(request)
    assert (accounts.summary().spent, accounts.paid_again()) == (1600, [])
    day.cache.discard_many([service.prepared(second, "").clip.key])
    service.synthesize_sync(second)
    assert accounts.paid_again() == [Again("removed", 1, 800)]
    day.clock.now += 5 * HOUR
    service.synthesize_sync(first)
    assert set(accounts.paid_again()) == {Again("removed", 1, 800), Again("expired", 1, 800)}
    service.close()


def test_what_was_not_to_be_stored_is_paid_for_again_because_of_that(day: Day) -> None:
    for _ in range(2):
        speech_by(day.first, SpeechRequest(WELCOME), Wishes(no_store=True))
    assert accounts.paid_again() == [Again("cache_off", 1, 225)]
    assert {again.cause for again in accounts.paid_again()} <= set(CAUSES)


def test_what_lies_there_expires_whatever_was_not_stored_beside_it(day: Day) -> None:
    day.say(WELCOME)
    speech_by(day.first, SpeechRequest(WELCOME), Wishes(no_cache=True, no_store=True))
    assert accounts.paid_again() == [Again("cache_off", 1, 225)]
    day.at(5)
    day.say(WELCOME)
    assert set(accounts.paid_again()) == {Again("cache_off", 1, 225), Again("expired", 1, 225)}


def _without_end(units: str, end: threading.Event) -> Any:
    """Half of an answer, and the line is closed at the event."""

    def answer(line: Any, heard: Any) -> bool:
        sound = elevenlabs._reply(heard)
        headers = {**sound.headers, "character-cost": units}
        head = Reply(sound.status, sound.body, headers).head()
        line.sendall(head + sound.body[: len(sound.body) // 2])
        end.wait(20)
        return False

    return answer


def _billed_as(units: str) -> Any:
    def answer(line: Any, heard: Any) -> bool:
        reply = elevenlabs._reply(heard)
        billed = {**reply.headers, "character-cost": units}
        return Reply(reply.status, reply.body, billed, reply.chunk)(line, heard)

    return answer
