"""What an answer says of itself: where it came from, and to some callers how long it took."""

from __future__ import annotations

from audiocache.clock import now_ms
from tts.cache_status import cache_status, server_timing, status_of_stream, timing_of_stream
from tts.speech import Speech
from tts.streaming import AsyncSpeechStream, SpeechStream


def headers_of(
    heard: SpeechStream | AsyncSpeechStream | Speech, *, on_request: bool, seconds: float | None
) -> dict[str, str]:
    """`on_request`: it was wanted anew. `seconds` that it took: None is told to nobody."""
    if not isinstance(heard, Speech):
        told = {"Cache-Status": status_of_stream(heard, now_ms())}
    else:
        told = {"Cache-Status": cache_status(heard, now_ms(), on_request=on_request)}
    if seconds is not None:
        speech = speech_of(heard)
        told["Server-Timing"] = (
            timing_of_stream(seconds) if speech is None else server_timing(speech, seconds)
        )
    return told


def speech_of(heard: SpeechStream | AsyncSpeechStream | Speech) -> Speech | None:
    """All of it; None while it is being made."""
    return heard if isinstance(heard, Speech) else heard.speech
