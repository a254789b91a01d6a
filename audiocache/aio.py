"""The a-twins of every verb (law 12).

A hit in memory is answered inline; for the rest the caller crosses once to a thread of
ours. Waiting for another's call holds no thread.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Final, TypeVar, cast

from audiocache.creating import CreatingVerbs
from audiocache.entries import AudioEntry, Clip, Recording
from audiocache.flight import FlightAbandoned, Later, landed
from audiocache.sharing import SHARED, Sharing
from audiocache.verbs import (
    Audio,
    Created,
    Pairs,
    audio_by_text,
    recording_of,
    split_options,
)
from audiocache.workers import Executor

R = TypeVar("R")

LOOK_SECONDS: Final = 0.5
"""Between looks at whether a loop that owes an outcome has been closed: it tells nobody."""

AsyncCreate = Callable[[], Awaitable[Created]]
Begin = Callable[[Clip], tuple[Future[AudioEntry], bool]]
"""Begins the making of a clip, or joins it; True when joined."""


class AsyncVerbs(CreatingVerbs):
    """aget, aput, ...: each as its namesake, for asyncio."""

    executor: Executor

    async def aget(self, text: str, /, *, namespace: str = "", **variant: Any) -> bytes | None:
        """See `get`."""
        clip = self._memo.clip(text, namespace, variant)
        # Here, too: awaiting another coroutine costs a quarter of a hit in memory.
        entry = self.at_hand(clip) or await self._afind_below(clip)
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

    async def aget_many(
        self, texts: Iterable[str], /, *, namespace: str = "", **variant: Any
    ) -> dict[str, bytes]:
        """See `get_many`."""
        clips = self._clips(texts, namespace, variant)
        return audio_by_text(clips, await self.afind_many(clips.values()))

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
        return self.at_hand(clip) or await self._afind_below(clip)

    async def _afind_below(self, clip: Clip) -> AudioEntry | None:
        return await self._off(lambda: self.find_below(clip))

    async def afind_many(self, clips: Iterable[Clip]) -> dict[str, AudioEntry]:
        """See `find_many`."""
        found, missing = self.sort_by_hand(clips)
        if missing:
            found |= await self._off(lambda: self.find_many_below(missing))
        return found

    async def afind_or_create(
        self, clip: Clip, create: Callable[[], Recording], sharing: Sharing = SHARED
    ) -> AudioEntry:
        """See `find_or_create`; `create` runs on a thread of ours."""
        return await self._afind_or_begin(clip, lambda clip: self.begin(clip, create, sharing))

    async def _afind_or_begin(self, clip: Clip, begin: Begin) -> AudioEntry:
        entry = await self._alook(clip)
        while entry is None:
            made, joined = await landed(partial(begin, clip))
            told = partial(self.told, clip, made, joined)
            # Of another rendition: then it looks, which may block.
            entry = told() if made.key == clip.key else await self._off(told)
        return entry

    async def _alook(self, clip: Clip) -> AudioEntry | None:
        """See `look`."""
        if (entry := self.at_hand(clip)) or self.ladder.all_inline:
            return entry
        look, submit = partial(self.find_below, clip), self.executor.submit
        found, joined = await landed(lambda: self.looks.start(clip.key, look, submit))
        looked = partial(self.looked, clip, found, joined)
        return await self._off(looked) if joined and found else looked()

    def _begin_task(
        self, create: AsyncCreate, how: dict[str, Any], clip: Clip
    ) -> tuple[Future[AudioEntry], bool]:
        making = self.making(clip, SHARED)

        async def make() -> AudioEntry:
            try:
                while isinstance(found := await self._off(making.begin), Later):
                    await asyncio.wrap_future(found.future)
                if found is not None:
                    return found
                recording = recording_of(await create(), **how)
                return await self._off(lambda: making.finish(recording))
            except GeneratorExit:
                # Its loop was closed, and this may be the garbage collector, wherever it came:
                # no lock can be taken here. See `lost`.
                raise
            except BaseException as error:
                # Not waited for: a task that is cancelled has no time.
                self.executor.submit(partial(making.give_up, error))
                raise

        lost = partial(making.give_up, FlightAbandoned(clip.source_key))
        return self.flights.start_task(clip.source_key, make, lost)

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
    def sort_by_hand(self, clips: Iterable[Clip]) -> tuple[dict[str, AudioEntry], list[Clip]]:
        """The fresh entries in memory by key, and the clips that are not there."""

    @abstractmethod
    def find_many_below(self, missing: Sequence[Clip]) -> dict[str, AudioEntry]:
        """Fresh entries by key from the tiers that may block."""


def _is_async(create: object) -> bool:
    return inspect.iscoroutinefunction(create) or inspect.iscoroutinefunction(
        getattr(create, "__call__", None)  # noqa: B004 - of which kind, not whether it is one
    )


def _finished(create: Callable[[], Created] | AsyncCreate) -> Callable[[], Created]:
    """`create`, to be called on a thread of ours; an awaitable it gives runs on this loop."""
    loop = asyncio.get_running_loop()

    def made() -> Created:
        created = create()
        return _outcome_on(loop, created) if inspect.isawaitable(created) else created

    return made


def _outcome_on(loop: asyncio.AbstractEventLoop, awaitable: Awaitable[R]) -> R:
    """What comes of it on another thread's loop. Raises FlightAbandoned when that ends before."""

    async def finish() -> R:
        return await awaitable

    coroutine = finish()
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        while not wait([future], LOOK_SECONDS).done and not loop.is_closed():
            pass
        if future.done() and not future.cancelled():
            return future.result()
    except RuntimeError:
        if not loop.is_closed():  # it is the awaitable's own
            raise
    for left in (coroutine, awaitable):
        if inspect.iscoroutine(left):
            left.close()
    raise FlightAbandoned
