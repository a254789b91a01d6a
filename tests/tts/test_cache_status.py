"""Cache-Status by RFC 9211: where a speech came from."""

from __future__ import annotations

from typing import Any

import pytest

from audiocache.clock import now_ms
from audiocache.entries import NEVER, ORIGIN, AudioEntry
from tts.api.headers import headers_of
from tts.cache_status import cache_status, server_timing, status_of_stream
from tts.service import TTSService
from tts.speech import Speech, SpeechRequest

NOW = 1_700_000_000_000


def speech(*, fallback: bool = False, **fields: Any) -> Speech:
    known = {
        "key": "k", "namespace": "", "text_digest": "d", "text": None, "variant": "",
        "content_type": "audio/wav", "created": NOW, "expires": NOW + 3_600_900,
        "keep_until": NEVER, "source_key": "k", "transcoded_from": "", "duration_ms": None,
        "cost": None, "billed_units": None, "timings": "", "tags": (), "audio": b"sound",
    }  # fmt: skip
    return Speech(AudioEntry(**{**known, **fields}), fallback=fallback)


@pytest.mark.parametrize(
    ("given", "on_request", "told"),
    [
        (speech(tier="memory"), False, "audiocache; hit; ttl=3600; detail=memory"),
        (speech(tier="distributed"), False, "audiocache; hit; ttl=3600; detail=distributed"),
        (speech(tier="persistent", expires=NEVER), False, "audiocache; hit; detail=persistent"),
        (speech(), False, "audiocache; fwd=uri-miss; stored"),
        (speech(nowhere=True), False, "audiocache; fwd=uri-miss"),
        (speech(joined=True), False, "audiocache; fwd=uri-miss; collapsed"),
        (speech(tier=ORIGIN), True, "audiocache; fwd=request; stored"),
        (speech(nowhere=True), True, "audiocache; fwd=request"),
        (
            speech(tier="persistent", stale=True, expires=NOW - 1),
            False,
            "audiocache; fwd=stale; detail=stale-if-error",
        ),
        (
            speech(transcoded_from="source"),
            False,
            "audiocache; fwd=uri-miss; stored; detail=transcoded",
        ),
        (
            speech(transcoded_from="s", tier="memory"),
            False,
            "audiocache; hit; ttl=3600; detail=memory",
        ),
        (speech(fallback=True), False, "audiocache; fwd=uri-miss; stored; detail=fallback"),
        (
            speech(fallback=True, tier="memory"),
            False,
            "audiocache; fwd=uri-miss; detail=fallback",
        ),
    ],
)
def test_the_header(given: Speech, on_request: bool, told: str) -> None:
    assert cache_status(given, NOW, on_request=on_request) == told


def test_ttl_is_negative_when_it_is_over() -> None:
    assert speech(expires=NOW - 1500).ttl(NOW) == -2
    assert speech(expires=NEVER).ttl(NOW) is None


def test_a_stream(service: TTSService) -> None:
    streams = [service.stream_sync(SpeechRequest("Hello.")) for _ in range(2)]
    assert status_of_stream(streams[0].ready(), NOW) == "audiocache; fwd=uri-miss; stored"
    assert status_of_stream(streams[1].ready(), now_ms()).startswith("audiocache; hit; ttl=86")


@pytest.mark.parametrize(("joined", "told"), [(False, ""), (True, "; collapsed")])
def test_a_stream_that_is_being_made(service: TTSService, joined: bool, told: str) -> None:
    stream = service.stream_sync(SpeechRequest("Hello."))
    stream.joined = joined
    assert status_of_stream(stream, NOW) == f"audiocache; fwd=uri-miss{told}"


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (speech(tier="memory"), "memory"),
        (speech(), "provider"),
        (speech(transcoded_from="source"), "transcode"),
        (speech(transcoded_from="master", billed_units=5), "provider"),
        (speech(transcoded_from="source", tier="persistent"), "persistent"),
    ],
)
def test_server_timing(given: Speech, source: str) -> None:
    assert server_timing(given, 0.01234) == f"audiocache;desc={source};dur=12.3"


def test_how_long_it_took_until_the_first_piece(service: TTSService) -> None:
    """What is still being made has no end that could be told before it."""
    streams = [service.stream_sync(SpeechRequest("Hello.")) for _ in range(2)]
    told = headers_of(streams[0], on_request=False, seconds=0.01234)
    assert told["Cache-Status"] == "audiocache; fwd=uri-miss"
    assert told["Server-Timing"] == "first-byte;desc=provider;dur=12.3"
    assert b"".join(streams[0])
    told = headers_of(streams[1].ready(), on_request=False, seconds=0.01234)
    assert told["Server-Timing"] == "audiocache;desc=memory;dur=12.3"
    assert "Server-Timing" not in headers_of(streams[1], on_request=False, seconds=None)
