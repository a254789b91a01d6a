"""What receivers are told, and that they cannot harm the cache."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from audiocache import MultiTierAudioCache, signals
from audiocache.keys import clip_of
from tests.audiocache.conftest import NewCache, NewTier
from tests.factories import FakeClock

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def cache(new_cache: NewCache, new_tier: NewTier) -> MultiTierAudioCache:
    return new_cache(tiers=[new_tier("memory", max_entries=2)])


def test_stored_is_told_for_every_put_and_every_making(
    cache: MultiTierAudioCache, told: Told
) -> None:
    cache.put("a", b"1", voice="nova")
    cache.get_or_create("b", lambda: b"2")
    cache.get_or_create("b", lambda: b"3")
    assert [name for name, _ in told] == ["entry_stored"] * 2
    assert [what["entry"].audio for _, what in told] == [b"1", b"2"]
    assert all(what["cache"] is cache for _, what in told)


def test_a_back_fill_is_not_told_as_stored(
    new_cache: NewCache, new_tier: NewTier, told: Told
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), new_tier("redis")])
    cache.put("a", b"1")
    cache.tiers["memory"].clear()
    told.clear()
    assert cache.get("a") == b"1"
    assert told == []


def test_removed_tells_the_keys_or_the_group_or_all(cache: MultiTierAudioCache, told: Told) -> None:
    clip = clip_of("a", {"voice": "nova"})
    cache.remove("a", voice="nova")
    cache.remove("a", all_variants=True)
    cache.discard_many(["00" * 32])
    cache.clear()
    assert [(what["keys"], what["field"], what["value"]) for _, what in told] == [
        ([clip.key], "source_key", clip.key),
        ([clip_of("a").key], "text_digest", clip.text_digest),
        (["00" * 32], "", ""),
        (None, "", ""),
    ]
    assert {name for name, _ in told} == {"entry_removed"}


def test_evicted_tells_the_tier_the_keys_and_the_reason(
    cache: MultiTierAudioCache, told: Told, clock: FakeClock
) -> None:
    cache.put("a", b"1", ttl_seconds=1)
    clock.now += 1000
    cache.get("a")
    for text in "bcd":
        cache.put(text, b"1")
    evicted = [what for name, what in told if name == "entry_evicted"]
    assert [(what["tier"], what["keys"], what["reason"]) for what in evicted] == [
        ("memory", [clip_of("a").key], "expired"),
        ("memory", [clip_of("b").key], "evicted"),
    ]


def test_a_receiver_that_raises_harms_nobody(
    cache: MultiTierAudioCache, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise ZeroDivisionError

    signals.entry_stored.connect(fail)
    try:
        with caplog.at_level(logging.CRITICAL, "django.dispatch"):
            cache.put("a", b"1")
    finally:
        signals.entry_stored.disconnect(fail)
    assert cache.get("a") == b"1"
    assert len(told) == 1
