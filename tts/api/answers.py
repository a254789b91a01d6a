"""Sound over HTTP: whole where it is there, else in pieces as they come, or as events."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from audiocache.streams import pieces_of
from tts.api.asking import Asked
from tts.api.headers import speech_of
from tts.api.problems import PROBLEMS, error_object
from tts.speech import Speech
from tts.streaming import AsyncSpeechStream, SpeechStream

Heard = SpeechStream | AsyncSpeechStream | Speech
"""A stream is ready."""

UNBUFFERED: Final = {"X-Accel-Buffering": "no"}
"""nginx else keeps what comes until it has a pageful."""
EVENTS: Final = "text/event-stream"


def answer(heard: Heard, asked: Asked, headers: dict[str, str]) -> HttpResponseBase:
    """As it was asked for."""
    if asked.as_events:
        return _told(heard, len(asked.request.text), headers)
    if (speech := speech_of(heard)) is not None:
        _close(heard)
        return _whole(speech.audio, speech.content_type, headers)
    assert not isinstance(heard, Speech)
    return _streamed(heard, heard.content_type, headers)


def _told(heard: Heard, characters: int, headers: dict[str, str]) -> HttpResponseBase:
    """In the form of the stream: Django would buffer the other one whole."""
    if isinstance(heard, SpeechStream):
        return _streamed(_events(heard, characters), EVENTS, headers)
    if isinstance(heard, AsyncSpeechStream):
        return _streamed(_aevents(heard, characters), EVENTS, headers)
    events = [*map(_delta, pieces_of(heard.audio)), _done(characters)]
    return _whole(b"".join(events), EVENTS, headers)


def _close(heard: Heard) -> None:
    """Nobody listens to what is there: a stream has ended."""
    if not isinstance(heard, Speech):
        heard.close()


def _whole(body: bytes, content_type: str, headers: dict[str, str]) -> HttpResponse:
    """With its length, so that a cut one is noticed."""
    found = headers | {"Content-Length": str(len(body))}
    return HttpResponse(body, content_type=content_type, headers=found)


def _streamed(
    pieces: Iterator[bytes] | AsyncIterator[bytes], content_type: str, headers: dict[str, str]
) -> StreamingHttpResponse:
    found = headers | UNBUFFERED
    return StreamingHttpResponse(pieces, content_type=content_type, headers=found)


def _events(stream: SpeechStream, characters: int) -> Iterator[bytes]:
    try:
        for piece in stream:
            yield _delta(piece)
        yield _done(characters)
    except PROBLEMS as error:
        yield _event(error_object(error))
    finally:
        stream.close()


async def _aevents(stream: AsyncSpeechStream, characters: int) -> AsyncIterator[bytes]:
    try:
        async for piece in stream:
            yield _delta(piece)
        yield _done(characters)
    except PROBLEMS as error:
        yield _event(error_object(error))
    finally:
        stream.close()


def _event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(data).encode()


def _delta(piece: bytes) -> bytes:
    return _event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})


def _done(characters: int) -> bytes:
    """The usage counts characters: providers bill by them, and tell no tokens."""
    usage = {"input_tokens": characters, "output_tokens": 0, "total_tokens": characters}
    return _event({"type": "speech.audio.done", "usage": usage})
