"""Where a speech came from, as a client is told: `Cache-Status` (RFC 9211) and `Server-Timing`."""

from __future__ import annotations

from typing import Final

from tts.speech import PROVIDER, Speech
from tts.streaming import AsyncSpeechStream, SpeechStream

CACHE: Final = "audiocache"
"""The name under which the cache speaks of itself."""

TRANSCODE: Final = "transcode"


def cache_status(speech: Speech, now: int, *, on_request: bool = False) -> str:
    """The header's value at `now` (ms); `on_request`: the client wanted it made anew."""
    return "; ".join(
        [CACHE, *_found(speech, now)] if _is_hit(speech) else _made(speech, on_request)
    )


def status_of_stream(stream: SpeechStream | AsyncSpeechStream, now: int) -> str:
    """Of a stream that is ready; what is still being made is not stored yet."""
    if stream.speech is not None:
        return cache_status(stream.speech, now)
    return "; ".join([CACHE, "fwd=uri-miss", *(["collapsed"] if stream.joined else [])])


def server_timing(speech: Speech, seconds: float) -> str:
    """The header's value for one answer; for those alone who may know how the cache works."""
    return f"{CACHE};desc={_source(speech)};dur={seconds * 1000:.1f}"


def timing_of_stream(seconds: float) -> str:
    """As `server_timing` until the first piece of what is being made: the rest is to come."""
    return f"first-byte;desc={PROVIDER};dur={seconds * 1000:.1f}"


def _source(speech: Speech) -> str:
    """What the time went by; nobody was asked for what was made of another format."""
    return TRANSCODE if speech.tier == PROVIDER and not speech.paid else speech.tier


def _is_hit(speech: Speech) -> bool:
    return speech.tier != PROVIDER and not (speech.stale or speech.joined or speech.fallback)


def _found(speech: Speech, now: int) -> list[str]:
    ttl = speech.ttl(now)
    return ["hit", *([] if ttl is None else [f"ttl={ttl}"]), f"detail={speech.tier}"]


def _made(speech: Speech, on_request: bool) -> list[str]:
    """Sent on to the provider: why, and what became of the answer."""
    if speech.stale:
        return [CACHE, "fwd=stale", "detail=stale-if-error"]
    came = [CACHE, f"fwd={'request' if on_request else 'uri-miss'}"]
    if speech.joined:
        came.append("collapsed")
    elif speech.stored and speech.tier == PROVIDER:
        came.append("stored")
    return [*came, *_detail(speech)]


def _detail(speech: Speech) -> list[str]:
    if speech.fallback:
        return ["detail=fallback"]
    return ["detail=transcoded"] if speech.transcoded else []
