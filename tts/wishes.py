"""What a client's `Cache-Control` wishes (RFC 9111, section 5.2.1), and the speech by it.

`no-cache` and `no-store` may make the site pay again: only for clients who may spend its money.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, NamedTuple

from audiocache.entries import AudioEntry, Recording
from tts.deadline import Deadline
from tts.exceptions import NotCached, TTSError
from tts.fallback import Asked
from tts.outages import FAILURES
from tts.prepared import Prepared
from tts.speaker import too_late
from tts.speech import Speech, SpeechRequest
from tts.tracing import traced

if TYPE_CHECKING:
    from tts.service import TTSService


class Wishes(NamedTuple):
    """The directives that are honoured; the others are advice that changes nothing here."""

    no_cache: bool = False
    """Made anew, whatever is stored; where the provider fails, by a fallback."""
    no_store: bool = False
    """What is made for it is not kept; what is stored is used, be it older where making fails."""
    only_if_cached: bool = False
    """No provider is asked: it is stored, or made of another format that is."""

    @property
    def take_older(self) -> bool:
        """Is an expired clip better than an error? What is stored is asked for while fresh."""
        return not (self.no_cache or self.only_if_cached)


def wishes_of(header: str) -> Wishes:
    """The wishes in a `Cache-Control` header; empty where there is none."""
    words = {word.partition("=")[0].strip().lower() for word in header.split(",")}
    return Wishes("no-cache" in words, "no-store" in words, "only-if-cached" in words)


def speech_by(
    service: TTSService, request: SpeechRequest, wishes: Wishes, *, namespace: str = ""
) -> Speech:
    """As `synthesize_sync`, with the wishes honoured. Raises NotCached for `only-if-cached`."""
    if not any(wishes):
        return service.synthesize_sync(request, namespace=namespace)
    return _spoken(service, _asked(service, request, namespace), wishes)


async def aspeech_by(
    service: TTSService, request: SpeechRequest, wishes: Wishes, *, namespace: str = ""
) -> Speech:
    """See `speech_by`."""
    if not any(wishes):
        return await service.synthesize(request, namespace=namespace)
    return await _aspoken(service, _asked(service, request, namespace), wishes)


def _asked(service: TTSService, request: SpeechRequest, namespace: str) -> Asked:
    prepared, until = service.prepared(request, namespace), Deadline.after(service.config.timeout)
    return Asked(request, prepared, namespace, until)


@traced
def _spoken(service: TTSService, asked: Asked, wishes: Wishes) -> Speech:
    if not wishes.no_cache and (entry := service.cache.find(asked.prepared.clip)):
        return Speech(entry)
    future = _begun(service, asked.prepared, wishes)
    try:
        if not wait([future], service.patience).done:
            raise too_late(service.config.timeout)
        return Speech(future.result())
    except FAILURES as error:
        return _instead(service, asked, wishes, error)


@traced
async def _aspoken(service: TTSService, asked: Asked, wishes: Wishes) -> Speech:
    if not wishes.no_cache and (entry := await service.cache.afind(asked.prepared.clip)):
        return Speech(entry)
    future = asyncio.wrap_future(_begun(service, asked.prepared, wishes))
    # Who waits may leave, by the clock or by hanging up: what is paid for is stored all the same.
    future.add_done_callback(_heard)
    done, _ = await asyncio.wait([future], timeout=service.patience)
    try:
        if not done:
            raise too_late(service.config.timeout)
        return Speech(future.result())
    except FAILURES as error:
        return await _ainstead(service, asked, wishes, error)


def _instead(service: TTSService, asked: Asked, wishes: Wishes, error: TTSError) -> Speech:
    """An older clip, or another provider's. Raises the error where there is none."""
    clip = asked.prepared.clip
    if wishes.take_older and (entry := service.outages.older(service.cache, clip, error)):
        return Speech(entry)
    _check_fallbacks(service, asked, wishes, error)
    return service.fallbacks.speak(asked, error)


async def _ainstead(service: TTSService, asked: Asked, wishes: Wishes, error: TTSError) -> Speech:
    """See `_instead`."""
    clip = asked.prepared.clip
    if wishes.take_older and (entry := await service.outages.aolder(service.cache, clip, error)):
        return Speech(entry)
    _check_fallbacks(service, asked, wishes, error)
    return await service.fallbacks.aspeak(asked, error)


def _check_fallbacks(service: TTSService, asked: Asked, wishes: Wishes, error: TTSError) -> None:
    """Raises the error where none may speak: what one of them makes would be kept."""
    if wishes.only_if_cached or wishes.no_store:
        raise error
    if not service.fallbacks.may_answer(asked.request, error):
        raise error


def _begun(service: TTSService, prepared: Prepared, wishes: Wishes) -> Future[AudioEntry]:
    """Its making on a thread of ours, apart from the flight of those who want it stored."""
    cache, clip = service.cache, prepared.clip

    def make() -> AudioEntry:
        mark = cache.removal_mark()
        recording = _recording(service, prepared, wishes)
        if wishes.no_store:
            return cache.entry(clip, recording)._replace(nowhere=True)
        return cache.store_made(clip, recording, mark)[0]

    return cache.makers.submit(make, lane=service.sharing.lane)


def _recording(service: TTSService, prepared: Prepared, wishes: Wishes) -> Recording:
    """Paid for where that is allowed. Raises NotCached where it is not."""
    if not wishes.only_if_cached:
        return service.make(prepared, anew=wishes.no_cache, store=not wishes.no_store)
    is_there = not wishes.no_cache and service.renditions.costs_nothing(prepared)
    if not is_there or (made := service.renditions.found(prepared)) is None:
        raise NotCached("it is in no tier, and only what is stored was asked for")
    return made


def _heard(future: asyncio.Future[AudioEntry]) -> None:
    """An error that comes when its caller has left is nobody's: attempts are told elsewhere."""
    if not future.cancelled():
        future.exception()
