"""Thirty days of a team: what was paid for again, and why, beside a count of its own; and what
the advice is worth.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.db import connections
from django.test import override_settings

from audiocache import signals
from audiocache.cache import MultiTierAudioCache
from audiocache.charges import CACHE_OFF, EVICTED, EXPIRED, LOST, REMOVED
from audiocache.conf import CacheConfig
from audiocache.models import AudioCacheEntry
from audiocache.pulse import pulse
from audiocache.workers import Inline
from tests.factories import FakeClock
from tests.tts.databases import ALIASES
from tests.tts.doubles import StubProvider
from tts import accounts, advice
from tts.advice import SPAN_MS
from tts.conf import TTSConfig
from tts.service import TTSService
from tts.speech import SpeechRequest
from tts.wishes import Wishes, speech_by

MORNING = 1_795_305_600_000  # 2026-11-22
DAY = 86_400_000
RATE = 15


RELEASE_DAYS = 10


class Scale(NamedTuple):
    """How much a team says: on the day of a release, and on the others."""

    phrases: int
    on_releases: int
    a_day: int
    limits: dict[str, Any]


SHORT = Scale(30, 20, 20, {"persistent_max_size": 8, "memory_max_size": 3})
LONG = Scale(3_000, 2_000, 100, {})
"""With the default limits: a release says more phrases than there is room for."""


class Team:
    """Asks for phrases, and counts by what it sees: signals, and the calls of the provider."""

    def __init__(self, alias: str, scale: Scale, **limits: Any) -> None:
        self.clock = FakeClock(MORNING)
        given = {"persistent_database": alias, **scale.limits, **limits}
        self.config = CacheConfig(**given)
        self.cache = MultiTierAudioCache(self.config, clock=self.clock, executor=Inline())
        config = TTSConfig.of_dict({"PRICES": [{"provider": "stub", "rate": RATE}]})
        self.provider = StubProvider(config)
        self.service = TTSService(config, cache=self.cache, provider=self.provider)
        self.scale, self.chance = scale, random.Random(7)
        self.bought: dict[str, int] = {}
        self.gone: dict[str, str] = {}
        self.again: Counter[str] = Counter()
        self.cost: Counter[str] = Counter()
        self.keys: dict[str, str] = {}
        signals.entry_evicted.connect(self.evicted)

    def close(self) -> None:
        signals.entry_evicted.disconnect(self.evicted)
        self.cache.close()

    def evicted(self, tier: str, keys: list[str], reason: str, **_: Any) -> None:
        if tier == "persistent" and reason == "evicted":
            self.gone |= {self.keys[key]: EVICTED for key in keys}

    def days(self, number: int) -> None:
        for day in range(number):
            said = self.scale.a_day if day % RELEASE_DAYS else self.scale.on_releases
            for moment in range(said):
                self.clock.now = MORNING + day * DAY + moment * DAY // said
                self.ask(self.phrase())
            self.mishap(day)

    def phrase(self) -> str:
        """Some are said often, most now and then."""
        place = int(self.scale.phrases * self.chance.random() ** 2)
        return f"Phrase number {place} of the team."

    def ask(self, text: str, wishes: Wishes = Wishes()) -> None:  # noqa: B008
        request = SpeechRequest(text)
        self.keys[self.service.prepared(request, "").clip.key] = text
        before = len(self.provider.calls)
        speech_by(self.service, request, wishes)
        if len(self.provider.calls) > before:
            self.count(text, anew=any(wishes))

    def count(self, text: str, *, anew: bool) -> None:
        if text in self.bought:
            cause = CACHE_OFF if anew else self.why(text)
            self.again[cause] += 1
            self.cost[cause] += len(text) * RATE
        self.bought[text] = self.clock.now
        self.gone.pop(text, None)

    def why(self, text: str) -> str:
        hours = self.config.ttl_hours
        if hours and self.bought[text] + hours * 3_600_000 <= self.clock.now:
            return EXPIRED
        return self.gone.get(text, LOST)

    def mishap(self, day: int) -> None:
        """Somebody removes a phrase, a client wants one anew, a row is damaged by a disk."""
        if day % 3 == 0:
            text = self.chance.choice(sorted(self.bought))
            self.ask(text, Wishes(no_cache=True))
            self.ask(text)
            assert self.service.cache.discard(self.service.prepared(SpeechRequest(text), "").clip)
            self.gone[text] = REMOVED
            self.ask(text)
        if day % 5 == 0:
            text = self.chance.choice(sorted(self.bought))
            self.ask(text)
            key = self.service.prepared(SpeechRequest(text), "").clip.key
            rows = AudioCacheEntry.objects.using(self.config.persistent_database)
            rows.filter(key=key).delete()
            self.cache.tiers["memory"].remove_many([key])
            self.ask(text)


ON_SQLITE, ON_POSTGRESQL = ALIASES
KINDS = [ON_SQLITE, pytest.param("audiocache_pg", marks=[*ON_POSTGRESQL.marks, pytest.mark.soak])]


@pytest.fixture(params=KINDS)
def alias(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param
    pulse.stop()
    connections[request.param].close()


def thirty_days(alias: str, scale: Scale) -> None:
    team = Team(alias, scale)
    team.days(30)
    team.close()
    told = {one.cause: (one.calls, one.cost) for one in accounts.paid_again()}
    assert told == {cause: (number, team.cost[cause]) for cause, number in team.again.items()}
    assert set(told) == {EXPIRED, EVICTED, REMOVED, LOST, CACHE_OFF}

    settings = {name.upper(): value for name, value in scale.limits.items()}
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": alias, **settings}):
        found = advice.advice(MORNING, MORNING + SPAN_MS)
    saved = {one.setting: (one.cause, one.calls, one.cost) for one in found}
    assert saved["CACHE_TTL_HOURS"] == (EXPIRED, *told[EXPIRED])
    assert saved["CACHE_PERSISTENT_MAX_SIZE"] == (EVICTED, *told[EVICTED])
    wiser = {one.setting.removeprefix("CACHE_").lower(): one.value for one in found}
    assert_nothing_is_paid_again(alias, scale, wiser)


def assert_nothing_is_paid_again(alias: str, scale: Scale, limits: dict[str, Any]) -> None:
    for name in ("account", "charge", "purchase", "entry"):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"DELETE FROM audiocache_{name}")
    team = Team(alias, scale, **limits)
    team.mishap = lambda day: None  # type: ignore[method-assign]
    team.days(30)
    team.close()
    assert (accounts.paid_again(), team.again) == ([], Counter())
    assert accounts.summary().calls == len(team.provider.calls) == len(team.bought)


@pytest.mark.untraced
def test_thirty_days(alias: str) -> None:
    """Must show 5, with limits that a test reaches in seconds."""
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": alias}):
        thirty_days(alias, SHORT)


@pytest.mark.soak
def test_thirty_days_with_the_default_limits(alias: str) -> None:
    """Must show 5."""
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": alias}):
        thirty_days(alias, SHORT if os.environ.get("SOAK") == "short" else LONG)


def test_nothing_is_advised_where_nothing_was_paid_again(alias: str) -> None:
    with override_settings(AUDIOCACHE={"PERSISTENT_DATABASE": alias}):
        assert advice.advice() == []
