"""The values: how long an entry lives, and what is taken for audio, a type and a tag."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocache import FOREVER, content_types
from audiocache.entries import (
    NEVER,
    AudioEntry,
    Forever,
    Life,
    Recording,
    entry_of,
    life_from,
)
from audiocache.fields import as_audio, as_tags
from audiocache.keys import clip_of
from tests.factories import HOUR, NOW, entry


def life(ttl_seconds: Any, default_ms: int = HOUR, stale_ms: int = 0) -> tuple[int, int]:
    """Milliseconds that it is fresh and kept; NEVER as it is."""
    made = life_from(NOW, ttl_seconds, default_ms=default_ms, stale_ms=stale_ms)
    assert made.created == NOW
    return tuple(end if end == NEVER else end - NOW for end in made[1:])  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("ttl_seconds", "ms"),
    [
        (None, HOUR),
        (FOREVER, NEVER),
        (1, 1000),
        (1.5, 1500),
        (0.001, 1),
        (0.0000001, 1),
        (2.3, 2300),
        (10**8, 10**11),
        (10**400, NEVER),
        (1e300, NEVER),
    ],
)
def test_how_long_an_entry_lives(ttl_seconds: Any, ms: int) -> None:
    assert life(ttl_seconds) == (ms, ms)


@pytest.mark.parametrize(
    ("ttl_seconds", "error"),
    [
        (0, ValueError), (-1, ValueError), (0.0, ValueError), (-0.5, ValueError),
        (math.nan, ValueError), (math.inf, ValueError), (-math.inf, ValueError),
        (True, ValueError), (False, ValueError),
        ("60", TypeError), (b"1", TypeError), ([1], TypeError), (1j, TypeError),
    ],
    ids=repr,
)  # fmt: skip
def test_a_wrong_ttl_is_refused_by_name(ttl_seconds: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="ttl_seconds must be"):
        life(ttl_seconds)


def test_a_configured_life_of_zero_is_for_ever() -> None:
    assert life(None, default_ms=0) == (NEVER, NEVER)
    assert life(5, default_ms=0) == (5000, 5000)


def test_the_stale_window_is_added_to_what_is_kept() -> None:
    assert life(5, stale_ms=HOUR) == (5000, 5000 + HOUR)
    assert life(FOREVER, stale_ms=HOUR) == (NEVER, NEVER)


@given(st.floats(min_value=0, exclude_min=True) | st.integers(min_value=1))
def test_every_ttl_makes_instants_that_can_be_told(ttl_seconds: float) -> None:
    if ttl_seconds == math.inf:
        return
    made = life_from(NOW, ttl_seconds, default_ms=HOUR, stale_ms=HOUR)
    told = entry("a", expires=made.expires, keep_until=made.keep_until)
    assert NOW < made.expires <= made.keep_until <= NEVER
    assert told.expires_at is None or told.expires_at > told.created_at


def test_instants_are_told_in_utc() -> None:
    made = entry("a", created=0, ttl=1500, stale=500)
    assert made.created_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert made.expires_at == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert entry("a", ttl=0).expires_at is None


def test_an_entry_tells_its_labels_and_its_size() -> None:
    made = entry("a", parameters={"voice": "nova", "model": 2, "x": [1]}, audio=bytes(7))
    assert (made.label("voice"), made.label("model"), made.label("x")) == ("nova", "2", "[1]")
    assert made.label("language") == entry("a").label("voice") == ""
    assert made.size == 7


def test_nothing_shows_a_text_or_a_sound() -> None:
    recording = Recording(audio=b"secret sound")
    for shown in (repr(entry("secret phrase", audio=b"secret sound")), repr(recording)):
        assert "secret" not in shown
    assert "12 bytes" in repr(recording)
    assert repr(FOREVER) == "FOREVER"
    assert FOREVER is Forever.FOREVER


def test_an_entry_is_made_of_its_clip_its_recording_and_its_life() -> None:
    clip = clip_of("Hello", {"voice": "nova"}, "menu")
    recording = Recording(audio=b"RIFF    WAVE", tags=("t",), duration_ms=5, cost=7, timings="[]")
    made = entry_of(clip, recording, Life(1, 2, 3), store_text=True)
    assert made.content_type == "audio/wav"
    assert made.text == "Hello"
    assert made[:2] == (clip.key, "menu")
    assert (made.created, made.expires, made.keep_until) == (1, 2, 3)
    assert (made.tags, made.duration_ms, made.cost, made.timings) == (("t",), 5, 7, "[]")
    assert entry_of(clip, recording, Life(1, 2, 3), store_text=False).text is None


@pytest.mark.parametrize("given", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_bytes_like_values_are_audio(given: Any) -> None:
    assert as_audio(given) == b"abc"
    assert type(as_audio(given)) is bytes


def test_audio_is_not_changed_by_its_former_owner() -> None:
    given = bytearray(b"abc")
    held = as_audio(given)
    given[0] = 0
    assert held == b"abc"


@pytest.mark.parametrize("given", ["abc", None, 5, [1, 2], len], ids=str)
def test_anything_else_is_not_audio(given: Any) -> None:
    with pytest.raises(TypeError, match="audio must be bytes, bytearray or memoryview, not "):
        as_audio(given)


@pytest.mark.parametrize("given", [["b", "a", "b"], ("a", "b"), {"a", "b"}, frozenset("ab")])
def test_tags_are_distinct_and_in_order(given: Any) -> None:
    assert as_tags(given) == ("a", "b")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("abc", TypeError), (None, TypeError), (5, TypeError), ({"a": 1}, TypeError),
        ([1], TypeError), ([None], TypeError), ([b"a"], TypeError),
        ([""], ValueError), (["a" * 201], ValueError), (["a\x00"], ValueError),
        (["\ud800"], ValueError),
    ],
    ids=ascii,
)  # fmt: skip
def test_wrong_tags_are_refused_by_name(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="tags must"):
        as_tags(given)


@pytest.mark.parametrize(
    ("start", "content_type", "extension"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav", "wav"),
        (b"RIFF\x24\x00\x00\x00AVI fmt ", "application/octet-stream", "bin"),
        (b"ID3\x04", "audio/mpeg", "mp3"),
        (b"ID3\x04\0\0\0\0\0\x05title\xff\xfb", "audio/mpeg", "mp3"),
        (b"ID3\x04\0\0\0\0\0\x05title\xff\xf1", "audio/aac", "aac"),
        (b"\xff\xfb\x90\x64", "audio/mpeg", "mp3"),
        (b"\xff\xf1\x50\x80", "audio/aac", "aac"),
        (b"OggS\x00\x02", "audio/ogg", "ogg"),
        (b"fLaC\x00", "audio/flac", "flac"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4", "m4a"),
        (b"", "application/octet-stream", "bin"),
        (b"\xff", "application/octet-stream", "bin"),
        (b"{}", "application/octet-stream", "bin"),
    ],
)
def test_the_kind_of_sound_is_told_from_its_first_bytes(
    start: bytes, content_type: str, extension: str
) -> None:
    assert content_types.sniff(start) == content_type
    assert content_types.extension(content_type) == extension


def test_parameters_of_a_content_type_do_not_change_the_extension() -> None:
    assert content_types.extension(" Audio/OGG; codecs=opus") == "ogg"


def entry_with(**fields: Any) -> AudioEntry:
    recording = Recording(**{"audio": b"RIFF    WAVE", **fields})
    return entry_of(clip_of("Hello", {}), recording, Life(1, 2, 3), store_text=True)


@pytest.mark.parametrize("given", [bytearray(b"fLaC sound"), memoryview(b"fLaC sound")])
def test_a_recording_of_bytes_like_audio_is_told_by_its_bytes(given: Any) -> None:
    made = entry_with(audio=given)
    assert (type(made.audio), made.content_type) == (bytes, "audio/flac")


@pytest.mark.parametrize(
    ("field", "given"),
    [("audio", "text"), ("audio", None), ("timings", None), ("transcoded_from", b"key")],
)
def test_what_does_not_belong_in_a_recording_is_named(field: str, given: Any) -> None:
    with pytest.raises(TypeError, match=f"^{field} must be "):
        entry_with(**{field: given})
