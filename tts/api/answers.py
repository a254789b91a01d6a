"""Sound over HTTP: whole where it is there, else in pieces as they come, or as events."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from tts.api.problems import PROBLEMS, error_object
from tts.speech import Speech
from tts.streaming import AsyncSpeechStream, SpeechStream

UNBUFFERED: Final = {"X-Accel-Buffering": "no"}
"""nginx else keeps what comes until it has a pageful."""


def answer(
    stream: SpeechStream | AsyncSpeechStream, characters: int, *, as_events: bool
) -> HttpResponseBase:
    """The answer of a stream that is ready; characters are those of the text."""
    if as_events:
        found = events(stream, characters)
        return StreamingHttpResponse(found, content_type="text/event-stream", headers=UNBUFFERED)
    if stream.speech is not None:  # all of it is there
        return _whole(stream.speech)
    return StreamingHttpResponse(stream, content_type=stream.content_type, headers=UNBUFFERED)


def _whole(speech: Speech) -> HttpResponse:
    """With its length, so that a cut one is noticed."""
    length = {"Content-Length": str(len(speech.audio))}
    return HttpResponse(speech.audio, content_type=speech.content_type, headers=length)


def events(
    stream: SpeechStream | AsyncSpeechStream, characters: int
) -> Iterator[bytes] | AsyncIterator[bytes]:
    """In the form of the stream: Django would buffer the other one whole."""
    if isinstance(stream, SpeechStream):
        return _events(stream, characters)
    return _aevents(stream, characters)


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
