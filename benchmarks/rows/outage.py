"""R4: a Redis that takes calls and answers none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from audiocache.cache import MultiTierAudioCache
from audiocache.tiers.distributed import DistributedTier
from benchmarks.cases import Case, Figure, Loop, Microseconds
from benchmarks.clips import Clips, K, is_none
from benchmarks.stage import Stage

FIRST_SECONDS = 0.25


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """On a server of its own, that is stopped meanwhile."""
    from project.servers import start_redis

    with start_redis() as server:
        config = stage.config(redis_url=server.url)
        tier = DistributedTier.from_config(config)
        with closing(MultiTierAudioCache(config, tiers=[tier])) as cache:
            clips = Clips(100, 4 * K)
            for text, sound in clips.by_text.items():
                cache.put(text, sound)
            server.pause()
            try:
                yield [_first(cache, clips), *_then(cache, clips)]
            finally:
                server.resume()


def _first(cache: MultiTierAudioCache, clips: Clips) -> Case:
    def take() -> tuple[float, str]:
        started = time.perf_counter()
        assert cache.get(clips.texts[0]) is None
        return time.perf_counter() - started, ""

    limit = Figure("-", lambda: (FIRST_SECONDS, ""))
    return Case(
        "R4", "Redis silent, first get", limit, Figure("ours", take), FIRST_SECONDS,
        unit="s", rounds=1,
    )  # fmt: skip


def _then(cache: MultiTierAudioCache, clips: Clips) -> list[Case]:
    rung = cache.ladder.rungs[0]

    def passed_over(key: str) -> Any:
        return rung.attempt("get", lambda tier: tier.get_many((key,)))

    def comparison() -> Loop:
        return Loop(
            "one clock comparison",
            lambda _: time.monotonic() < 0,
            clips.keys,
            lambda _, past: past is False,
        )

    return [
        Case(
            "R4", "Redis silent, then the tier", comparison(),
            Microseconds(Loop("ours", passed_over, clips.keys, is_none)), 2, unit="µs",
        ),
        Case(
            "R4", "Redis silent, then a whole get, which misses", comparison(),
            Microseconds(Loop("ours", cache.get, clips.texts, is_none)), 5, unit="µs",
        ),
    ]  # fmt: skip
