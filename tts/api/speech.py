"""POST /v1/audio/speech: the request as OpenAI takes it, the answer as OpenAI gives it."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tts.access.authentication import aauthenticate, authenticate
from tts.access.callers import SPEECH, Caller
from tts.access.spending import Spending
from tts.api.answers import answer
from tts.api.asking import Asked
from tts.api.reading import parsed, read
from tts.exceptions import TTSError
from tts.service import TTSService, get_tts_service
from tts.streaming import AsyncSpeechStream, SpeechStream


def speak(request: HttpRequest) -> HttpResponseBase:
    """Under WSGI."""
    body = read(request)
    caller = authenticate(request, SPEECH)
    service = get_tts_service()
    asked = Asked.of(parsed(body), service)
    stream = _begin(service, asked, caller)
    return answer(stream, len(asked.request.text), as_events=asked.as_events)


async def aspeak(request: HttpRequest) -> HttpResponseBase:
    """Under ASGI."""
    body = read(request)
    caller = await aauthenticate(request, SPEECH)
    service = get_tts_service()
    asked = Asked.of(parsed(body), service)
    stream = await _abegin(service, asked, caller)
    return answer(stream, len(asked.request.text), as_events=asked.as_events)


def _begin(service: TTSService, asked: Asked, caller: Caller) -> SpeechStream:
    """Until the first piece is there: then the status can be told."""
    stream = service.stream_sync(asked.request, namespace=caller.namespace)
    if not caller.is_limited:
        return stream.ready()
    spending = _spending(service, asked, caller)
    spending.begin()
    try:
        stream.ready()
    except TTSError as error:
        spending.fail(error)
        raise
    spending.settle(stream)
    return stream


async def _abegin(service: TTSService, asked: Asked, caller: Caller) -> AsyncSpeechStream:
    """See `_begin`."""
    stream = service.stream(asked.request, namespace=caller.namespace)
    if not caller.is_limited:
        return await stream.ready()
    spending = _spending(service, asked, caller)
    await sync_to_async(spending.begin)()
    try:
        await stream.ready()
    except TTSError as error:
        await sync_to_async(spending.fail)(error)
        raise
    await sync_to_async(spending.settle)(stream)
    return stream


def _spending(service: TTSService, asked: Asked, caller: Caller) -> Spending:
    return Spending(caller, service, service.prepared(asked.request, caller.namespace))
