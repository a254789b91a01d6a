"""A1 and A2: the verbs for asyncio, against the sync ones and against one thread crossing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

from asgiref.sync import sync_to_async

from audiocache.cache import MultiTierAudioCache
from benchmarks.bare import open_tier
from benchmarks.cases import Case, Loop
from benchmarks.clips import VARIANT, Clips, K
from benchmarks.stage import Stage

EXTRA_SECONDS: Final = 0.15e-6
"""What the async verb may cost on top."""
TEXTS: Final = 100


class Awaiting(Loop):
    """The calls of a batch, awaited one after the other."""

    loop: asyncio.AbstractEventLoop

    def _ready(self, arguments: list[Any]) -> Callable[[], list[Any]]:
        call = self._call

        async def work() -> list[Any]:
            return [await call(argument) for argument in arguments]

        return lambda: self.loop.run_until_complete(work())


class Calling(Loop):
    """The same, without `await`."""

    def _ready(self, arguments: list[Any]) -> Callable[[], list[Any]]:
        call = self._call
        return lambda: [call(argument) for argument in arguments]


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """On an event loop of asyncio's."""
    clips = Clips(TEXTS, 4 * K)
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    Awaiting.loop = loop
    config = stage.config()
    with (
        closing(loop),
        ThreadPoolExecutor(1) as pool,
        closing(MultiTierAudioCache(config)) as cache,
        closing(MultiTierAudioCache(config, tiers=[open_tier(config)])) as lower,
    ):
        yield [_memory(clips, cache), _crossing(clips, lower, loop, pool)]


def _warm(clips: Clips, cache: MultiTierAudioCache) -> Callable[[], None]:
    """Puts the clips into the cache, and gives what brings them into memory."""
    for text, sound in clips.by_text.items():
        cache.put(text, sound, **VARIANT)

    def warm() -> None:
        for text in clips.texts:
            cache.get(text, **VARIANT)

    return warm


def _memory(clips: Clips, cache: MultiTierAudioCache) -> Case:
    asked = clips.asked(clips.texts)
    warm = _warm(clips, cache)
    get, check = partial(cache.get, **VARIANT), clips.is_spoken
    return Case(
        "A1",
        "async memory hit",
        Calling("sync + 0.15 µs", get, asked, check, more=EXTRA_SECONDS, before=warm),
        Awaiting("ours", partial(cache.aget, **VARIANT), asked, check, before=warm),
        1.0,
        peers=[
            Awaiting("to_thread", partial(asyncio.to_thread, get), asked, check),
            Awaiting("sync_to_async", sync_to_async(get, thread_sensitive=False), asked, check),
        ],
    )


def _crossing(
    clips: Clips,
    cache: MultiTierAudioCache,
    loop: asyncio.AbstractEventLoop,
    pool: ThreadPoolExecutor,
) -> Case:
    asked = clips.asked(clips.texts)
    get, check = partial(cache.get, **VARIANT), clips.is_spoken

    def crossing(text: str) -> Awaitable[Any]:
        return loop.run_in_executor(pool, get, text)

    warm = _warm(clips, cache)
    return Case(
        "A2",
        "async hit in SQLite",
        Awaiting("one crossing", crossing, asked, check, before=warm),
        Awaiting("ours", partial(cache.aget, **VARIANT), asked, check, before=warm),
        1.2,
        peers=[
            Awaiting("to_thread", partial(asyncio.to_thread, get), asked, check),
            Awaiting("sync_to_async", sync_to_async(get, thread_sensitive=False), asked, check),
        ],
    )
