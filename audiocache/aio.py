"""The a-twins of every verb (law 12).

A hit in memory is answered inline; for the rest the caller crosses once to a thread of
ours. Waiting for another's call holds no thread.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar, cast

from audiocache.entries import AudioEntry, Clip, Recording
from audiocache.flights import FlightAbandoned, Flights
from audiocache.ladder import Ladder
from audiocache.storing import Mark
from audiocache.verbs import Audio, Created, Pairs, TextVerbs, recording_of, split_options
from audiocache.workers import Executor

R = TypeVar("R")

AsyncCreate = Callable[[], Awaitable[Created]]
Begin = Callable[[Clip], tuple[Future[AudioEntry], bool]]
"""Begins the making of a clip, or joins it; True when joined."""


class AsyncVerbs(TextVerbs):
    """aget, aput, ...: each as its namesake, for asyncio."""

    ladder: Ladder
    executor: Executor
    flights: Flights[AudioEntry]

    async def aget(self, text: str, /, *, namespace: str = "", **variant: Any) -> bytes | None:
        """See `get`."""
        entry = await self.afind(self._memo.clip(text, namespace, variant))
        return None if entry is None else entry.audio

    async def aget_entry(
        self, text: str, /, *, namespace: str = "", **variant: Any
    ) -> AudioEntry | None:
        """See `get_entry`."""
        return await self.afind(self._memo.clip(text, namespace, variant))

    async def ahas(self, text: str, /, **variant: Any) -> bool:
        """See `has`."""
        return await self._off(lambda: self.has(text, **variant))

    async def aput(self, text: str, audio: Audio, /, **options: Any) -> str:
        """See `put`."""
        return await self._off(lambda: self.put(text, audio, **options))

    async def aremove(self, text: str, /, **options: Any) -> bool:
        """See `remove`."""
        return await self._off(lambda: self.remove(text, **options))

    async def aget_many(self, texts: Iterable[str], /, **variant: Any) -> dict[str, bytes]:
        """See `get_many`."""
        return await self._off(lambda: self.get_many(texts, **variant))

    async def aput_many(self, pairs: Pairs, /, **options: Any) -> list[str]:
        """See `put_many`."""
        return await self._off(lambda: self.put_many(pairs, **options))

    async def awarm_cache(self, pairs: Pairs, /, **options: Any) -> int:
        """See `warm_cache`."""
        return await self._off(lambda: self.warm_cache(pairs, **options))

    async def aclear(self) -> None:
        """See `clear`."""
        await self._off(self.clear)

    async def acleanup_expired(self) -> dict[str, int]:
        """See `cleanup_expired`."""
        return await self._off(self.cleanup_expired)

    async def aget_comprehensive_stats(self) -> dict[str, Any]:
        """See `get_comprehensive_stats`."""
        return await self._off(self.get_comprehensive_stats)

    async def aget_or_create(
        self,
        text: str,
        create: Callable[[], Created] | AsyncCreate,
        /,
        *,
        namespace: str = "",
        **options: Any,
    ) -> bytes:
        """See `get_or_create`. `create` runs on a thread of ours, or, async, as a task.

        A caller who is cancelled leaves; what was begun is finished and stored.
        """
        how, variant = split_options(options)
        clip = self._memo.clip(text, namespace, variant)
        if _is_async(create):
            task = partial(self._begin_task, cast("AsyncCreate", create), how)
            return (await self._afind_or_begin(clip, task)).audio
        made = _finished(create)
        return (await self.afind_or_create(clip, lambda: recording_of(made(), **how))).audio

    async def afind(self, clip: Clip) -> AudioEntry | None:
        """See `find`."""
        entry = self.ladder.at_hand(clip)
        if entry is not None or self.ladder.all_inline:
            return entry
        return await self._off(lambda: self.find_below(clip))

    async def afind_or_create(self, clip: Clip, create: Callable[[], Recording]) -> AudioEntry:
        """See `find_or_create`; `create` runs on a thread of ours."""
        return await self._afind_or_begin(clip, lambda clip: self.begin(clip, create))

    async def _afind_or_begin(self, clip: Clip, begin: Begin) -> AudioEntry:
        entry = await self.afind(clip)
        while entry is None:
            future, joined = begin(clip)
            try:
                made = await asyncio.wrap_future(future)
            except FlightAbandoned:
                if not joined:
                    raise
                continue
            if made.key != clip.key:  # the look-up below may block
                entry = await self._off(partial(self.told, clip, made, joined))
            else:
                entry = self.told(clip, made, joined)
        return entry

    def _begin_task(
        self, create: AsyncCreate, how: dict[str, Any], clip: Clip
    ) -> tuple[Future[AudioEntry], bool]:
        async def make() -> AudioEntry:
            mark, entry = await self._off(
                lambda: (self.ladder.mark_making(), self.look_again(clip))
            )
            if entry is None:
                recording = recording_of(await create(), **how)
                entry = await self._off(lambda: self.store_made(clip, recording, mark))
            return entry

        return self.flights.start_task(clip.source_key, make)

    async def _off(self, call: Callable[[], R]) -> R:
        """The result of a call, made on a thread of ours unless it cannot block."""
        if self.ladder.all_inline:
            return call()
        # Shielded: a caller who leaves does not take back what waits for a thread.
        return await asyncio.shield(asyncio.wrap_future(self.executor.submit(call)))

    # Given by the cache

    @abstractmethod
    def clear(self) -> None:
        """Remove every entry."""

    @abstractmethod
    def cleanup_expired(self) -> dict[str, int]:
        """Remove entries past their time; how many by tier."""

    @abstractmethod
    def get_comprehensive_stats(self) -> dict[str, Any]:
        """Configuration, counts and tiers."""

    @abstractmethod
    def find_below(self, clip: Clip) -> AudioEntry | None:
        """The fresh entry from the tiers that may block."""

    @abstractmethod
    def begin(self, clip: Clip, create: Callable[[], Recording]) -> tuple[Future[AudioEntry], bool]:
        """Make a missing clip on a thread of ours, or join its making; True when joined."""

    @abstractmethod
    def look_again(self, clip: Clip) -> AudioEntry | None:
        """An entry that another stored since the look-up; counts nothing."""

    @abstractmethod
    def store_made(self, clip: Clip, recording: Recording, mark: Mark) -> AudioEntry:
        """Store what was made on a miss, unless it was removed since the mark."""

    @abstractmethod
    def told(self, clip: Clip, made: AudioEntry, joined: bool) -> AudioEntry | None:
        """What was made, as it is told to this caller; None: look for the caller's own."""


def _is_async(create: object) -> bool:
    return inspect.iscoroutinefunction(create) or inspect.iscoroutinefunction(
        getattr(create, "__call__", None)  # noqa: B004 - asks what kind of function it is
    )


def _finished(create: Callable[[], Created] | AsyncCreate) -> Callable[[], Created]:
    """`create`, to be called on a thread of ours; an awaitable it gives runs on this loop."""
    loop = asyncio.get_running_loop()

    async def finish(created: Awaitable[Created]) -> Created:
        return await created

    def made() -> Created:
        created = create()
        if inspect.isawaitable(created):
            return asyncio.run_coroutine_threadsafe(finish(created), loop).result()
        return created

    return made
