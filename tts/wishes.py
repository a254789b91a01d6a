"""What a client's `Cache-Control` wishes (RFC 9111, section 5.2.1), and the speech by it.

`no-cache` and `no-store` may make the site pay again: only for clients who may spend its money.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from audiocache.entries import AudioEntry
from tts.exceptions import NotCached
from tts.prepared import Prepared
from tts.speaker import too_late
from tts.speech import Speech, SpeechRequest

if TYPE_CHECKING:
    from tts.service import TTSService


class Wishes(NamedTuple):
    """The directives that are honoured; the others are advice that changes nothing here."""

    no_cache: bool = False
    """Made anew, whatever is stored."""
    no_store: bool = False
    """What is made for it is not kept; what is stored is used."""
    only_if_cached: bool = False
    """No provider is asked."""


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
    prepared = service.prepared(request, namespace)
    if not wishes.no_cache and (entry := service.cache.find(prepared.clip)):
        return Speech(entry)
    if not (wishes.no_cache or wishes.no_store):
        raise _not_cached()
    future = _begun(service, prepared, wishes)
    try:
        return Speech(future.result(service.config.timeout))
    except TimeoutError:
        raise too_late(service.config.timeout) from None


async def aspeech_by(
    service: TTSService, request: SpeechRequest, wishes: Wishes, *, namespace: str = ""
) -> Speech:
    """See `speech_by`."""
    if not any(wishes):
        return await service.synthesize(request, namespace=namespace)
    prepared = service.prepared(request, namespace)
    if not wishes.no_cache and (entry := await service.cache.afind(prepared.clip)):
        return Speech(entry)
    if not (wishes.no_cache or wishes.no_store):
        raise _not_cached()
    future = asyncio.wrap_future(_begun(service, prepared, wishes))
    # Who waits may leave, by the clock or by hanging up: what is paid for is stored all the same.
    done, _ = await asyncio.wait([future], timeout=service.config.timeout)
    if not done:
        future.add_done_callback(_heard)
        raise too_late(service.config.timeout)
    return Speech(future.result())


def _not_cached() -> NotCached:
    return NotCached("it is in no tier, and only what is stored was asked for")


def _begun(service: TTSService, prepared: Prepared, wishes: Wishes) -> Future[AudioEntry]:
    """Its making on a thread of ours, apart from the flight of those who want it stored."""
    cache, clip = service.cache, prepared.clip

    def make() -> AudioEntry:
        mark = cache.removal_mark()
        anew, store = wishes.no_cache, not wishes.no_store
        recording = service.make(prepared, anew=anew, store=store)
        if wishes.no_store:
            return cache.entry(clip, recording)._replace(nowhere=True)
        return cache.store_made(clip, recording, mark)[0]

    return cache.makers.submit(make)


def _heard(future: asyncio.Future[AudioEntry]) -> None:
    """An error that comes when its caller has left is nobody's: attempts are told elsewhere."""
    if not future.cancelled():
        future.exception()
