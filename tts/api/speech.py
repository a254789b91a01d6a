"""POST /v1/audio/speech: the request as OpenAI takes it, the answer as OpenAI gives it."""

from __future__ import annotations

import time
from typing import NamedTuple

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tts.access.authentication import aauthenticate, authenticate
from tts.access.callers import SPEECH, TIMING, Caller
from tts.access.spending import Spending
from tts.api.answers import answer
from tts.api.asking import Asked
from tts.api.headers import headers_of
from tts.api.reading import parsed, read
from tts.api.settling import to_its_end
from tts.service import TTSService, get_tts_service
from tts.speech import Speech
from tts.streaming import AsyncSpeechStream, SpeechStream
from tts.wishes import Wishes, aspeech_by, speech_by, wishes_of


class _Call(NamedTuple):
    """All that a request says."""

    service: TTSService
    caller: Caller
    asked: Asked
    wishes: Wishes
    began: float
    """By time.perf_counter(), in seconds."""

    @property
    def spending(self) -> Spending:
        """What it takes of its caller's day."""
        prepared = self.service.prepared(self.asked.request, self.caller.namespace)
        return Spending(self.caller, self.service, prepared, self.wishes)


def speak(request: HttpRequest) -> HttpResponseBase:
    """Under WSGI."""
    began, body = time.perf_counter(), read(request)
    caller = authenticate(request, SPEECH)
    call = _call(request, body, caller, began)
    return _answer(call, _heard(call))


async def aspeak(request: HttpRequest) -> HttpResponseBase:
    """Under ASGI."""
    began, body = time.perf_counter(), read(request)
    caller = await aauthenticate(request, SPEECH)
    call = _call(request, body, caller, began)
    return _answer(call, await _aheard(call))


def _call(request: HttpRequest, body: bytes, caller: Caller, began: float) -> _Call:
    service = get_tts_service()
    wishes = wishes_of(request.META.get("HTTP_CACHE_CONTROL", ""))
    return _Call(service, caller, Asked.of(parsed(body), service), wishes, began)


def _answer(call: _Call, heard: SpeechStream | AsyncSpeechStream | Speech) -> HttpResponseBase:
    seconds = time.perf_counter() - call.began if call.caller.may(TIMING) else None
    headers = headers_of(heard, on_request=call.wishes.no_cache, seconds=seconds)
    return answer(heard, call.asked, headers)


def _heard(call: _Call) -> SpeechStream | Speech:
    """Until the first piece is there: then the status can be told."""
    if not call.caller.is_limited:
        return _begun(call)
    spending = call.spending
    spending.begin()
    try:
        heard = _begun(call)
    except Exception as error:
        spending.fail(error)
        raise
    spending.settle(heard)
    return heard


async def _aheard(call: _Call) -> AsyncSpeechStream | Speech:
    """See `_heard`; only a limited caller's day needs a thread."""
    if not call.caller.is_limited:
        return await _abegun(call)
    return await to_its_end(_aspent(call))


async def _aspent(call: _Call) -> AsyncSpeechStream | Speech:
    spending = call.spending
    await sync_to_async(spending.begin)()
    try:
        heard = await _abegun(call)
    except Exception as error:
        await sync_to_async(spending.fail)(error)
        raise
    await sync_to_async(spending.settle)(heard)
    return heard


def _begun(call: _Call) -> SpeechStream | Speech:
    service, request, namespace = call.service, call.asked.request, call.caller.namespace
    if any(call.wishes):
        return speech_by(service, request, call.wishes, namespace=namespace)
    return service.stream_sync(request, namespace=namespace).ready()


async def _abegun(call: _Call) -> AsyncSpeechStream | Speech:
    service, request, namespace = call.service, call.asked.request, call.caller.namespace
    if any(call.wishes):
        return await aspeech_by(service, request, call.wishes, namespace=namespace)
    return await service.stream(request, namespace=namespace).ready()
