"""Speech that is heard while it is made.

stored? -> in pieces; else one flight -> its pieces from the beginning, as they come -> its end

A listener holds nothing that others need: one who leaves, waits or is slow changes nothing
for the provider's reading, for other listeners, and for what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from concurrent.futures import Future, wait
from typing import Any, Self, TypeVar

from audiocache.belonging import Belongings
from audiocache.cache import MultiTierAudioCache
from audiocache.entries import AudioEntry, Recording
from audiocache.flight import FlightAbandoned
from audiocache.streams import Broadcast, Channels, Turn, pieces_of
from tts.deadline import Deadline
from tts.outages import FAILURES
from tts.speech import Speech
from tts.tracing import traced_end, traced_piece
from tts.wanted import Wanted

R = TypeVar("R")

Steps = Generator[bytes | Future[Any], None, R]
"""Pieces to hand out, and futures to wait for before the next step."""


class _Listening:
    """The way of one listener, without the waiting."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._channel = channels_of(wanted.cache).of(wanted.clip.key)
        self._broadcast: Broadcast | None = None
        self._steps: Steps[None] | None = None
        self._first = b""
        self._heard = 0
        self._deadline = Deadline.after(wanted.patience)
        self.speech: Speech | None = None
        """All that is known of it: of a stored clip before its first piece, else at the end."""
        self.joined = False
        """Another caller's call to the provider is shared."""
        self.span: Any = None
        """See `tts.tracing`."""

    @property
    def content_type(self) -> str:
        """Such as audio/mpeg; known from the beginning."""
        return self._wanted.content_type if self.speech is None else self.speech.content_type

    @property
    def key(self) -> str:
        """The clip's."""
        return self._wanted.clip.key

    @traced_end
    def close(self) -> None:
        """Leave. What was begun is finished and stored."""
        self._first = b""
        if self._steps is None:
            self._steps = _nothing()
        self._steps.close()

    def _way(self, entry: AudioEntry | None) -> Steps[None]:
        while entry is None:
            outcome = yield from self._follow(self._begin())
            try:
                made = outcome.result()
            except FlightAbandoned:
                if self._heard or not self.joined:
                    raise
                continue
            entry = yield from self._told(made)
        yield from self._rest(Speech((yield from self._tagged(entry))))

    def _rest(self, speech: Speech) -> Steps[None]:
        """All of it, unless it was heard while it came."""
        self.speech = speech
        if not self._heard:
            yield from pieces_of(speech.audio)

    def _begin(self) -> Future[AudioEntry]:
        """Make it, or join its making."""
        broadcast = Broadcast(self._channel)
        cache, clip = self._wanted.cache, self._wanted.clip
        flight, self.joined = cache.begin(clip, lambda: self._make(broadcast), self._wanted.sharing)
        flight.add_done_callback(self._channel.stir if self.joined else broadcast.land)
        return flight

    def _make(self, broadcast: Broadcast) -> Recording:
        recording = self._wanted.make(broadcast)
        broadcast.whole = True
        return recording

    def _follow(self, flight: Future[AudioEntry]) -> Steps[Future[AudioEntry]]:
        """What can be heard; then the outcome.

        The outcome is that of the broadcast, where there is one: its pieces and its end
        belong together, whichever flight was joined.
        """
        self._broadcast = None
        while True:
            turn, landed = self._channel.turn, flight.done()
            self._broadcast = broadcast = self._broadcast or self._channel.broadcast
            outcome = broadcast.outcome if broadcast else (flight if landed else None)
            if broadcast and (piece := broadcast.read(self._heard)):
                self._hear(piece)
                yield piece
            elif outcome:
                return outcome
            else:
                yield turn

    def _hear(self, piece: bytes) -> None:
        if not self._heard:  # nobody else is asked any more
            self._whole_time()
        self._heard += len(piece)

    def _whole_time(self) -> Deadline:
        """The wait is no longer for the first provider to begin, but for the end."""
        self._deadline.extend(self._wanted.timeout - self._wanted.patience)
        return self._deadline

    def _told(self, made: AudioEntry) -> Steps[AudioEntry | None]:
        """The entry as it is told to this listener; None: it was another rendition."""
        cache, clip = self._wanted.cache, self._wanted.clip
        if made.key == clip.key:
            return cache.told(clip, made, self.joined)
        found = cache.executor.submit(lambda: cache.told(clip, made, self.joined))
        yield found
        return found.result()

    def _tagged(self, entry: AudioEntry) -> Steps[AudioEntry]:
        if (tagging := self._wanted.tagging(entry)) is None:
            return entry
        tagged = self._wanted.cache.executor.submit(tagging)
        yield tagged
        return tagged.result()

    def _overdue(self) -> None:
        """Raise SpeechTimeout, unless only the storing is waited for."""
        if self._broadcast is None or not self._broadcast.whole:
            raise self._wanted.too_late()


class SpeechStream(_Listening):
    """An iterator of pieces of sound; see `TTSService.stream_sync`."""

    def __iter__(self) -> Self:
        return self

    @traced_piece
    def __next__(self) -> bytes:
        """The next piece. Raises what `synthesize_sync` raises."""
        if self._first:
            piece, self._first = self._first, b""
            return piece
        try:
            return self._next()
        except FAILURES as error:
            if self._heard:
                raise
            self._steps = self._rest(self._wanted.instead(error, self._whole_time()))
        return self._next()

    def ready(self) -> Self:
        """Wait for the first piece: an error that comes before it is raised here."""
        self._first = self._first or next(self, b"")
        return self

    def _next(self) -> bytes:
        if self._steps is None:
            self._deadline = Deadline.after(self._wanted.patience)
            self._steps = self._way(self._wanted.found())
        for step in self._steps:
            if isinstance(step, bytes):
                return step
            if not wait([step], self._deadline.remaining()).done:
                self._overdue()
                break
        raise StopIteration


class AsyncSpeechStream(_Listening):
    """An asynchronous iterator of pieces of sound; see `TTSService.stream`."""

    def __aiter__(self) -> Self:
        return self

    @traced_piece
    async def __anext__(self) -> bytes:
        """The next piece. Raises what `synthesize` raises."""
        if self._first:
            piece, self._first = self._first, b""
            return piece
        try:
            return await self._next()
        except FAILURES as error:
            if self._heard:
                raise
            speech = await self._wanted.ainstead(error, self._whole_time())
            self._steps = self._rest(speech)
        return await self._next()

    async def ready(self) -> Self:
        """Wait for the first piece: an error that comes before it is raised here."""
        self._first = self._first or await anext(self, b"")
        return self

    async def _next(self) -> bytes:
        if self._steps is None:
            self._deadline = Deadline.after(self._wanted.patience)
            self._steps = self._way(await self._in_time(self._wanted.afound()))
        for step in self._steps:
            if isinstance(step, bytes):
                return step
            waited = step.awaited() if isinstance(step, Turn) else asyncio.wrap_future(step)
            await self._in_time(waited)
            if not step.done():
                break
        raise StopAsyncIteration

    async def _in_time(self, awaited: Awaitable[R]) -> R | None:
        """None when it came too late and need not have come."""
        clock = asyncio.timeout(self._deadline.remaining())
        try:
            async with clock:
                return await awaited
        except TimeoutError:
            if not clock.expired():
                raise
        self._overdue()
        return None


def _nothing() -> Steps[None]:
    yield from ()


_of_caches: Belongings[MultiTierAudioCache, Channels] = Belongings()


def channels_of(cache: MultiTierAudioCache) -> Channels:
    """The channels that go with a cache, whichever service asks."""
    return _of_caches.of(cache, Channels)
