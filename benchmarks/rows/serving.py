"""S4, S7 and S8: SQLite while others read and write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final, NamedTuple, Self

from audiocache.tiers.persistent import PersistentTier
from benchmarks.bare import Bare, open_tier
from benchmarks.cases import COMMIT, Case, Figure, Fixed, WrongAnswer
from benchmarks.clips import Clips, K
from benchmarks.processes import Crew
from benchmarks.stage import Stage

PUTS: Final = 300
PACE_SECONDS: Final = 0.001


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """Long ones: few rounds."""
    with ExitStack() as stack:
        yield [
            *_putting(stage, stack),
            *_culling(stage, stack),
            _together(stage, "8 threads", processes=1, threads=8),
            _together(stage, "4 processes", processes=4, threads=1),
        ]


class Paced:
    """A thread that does something at a pace, and how long it took each time."""

    def __init__(self, do: Callable[[], object], pace: float, leave: Callable[[], object]) -> None:
        self._do = do
        self._pace = pace
        self._leave = leave
        self.took: list[float] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._pace):
            started = perf_counter()
            self._do()
            self.took.append(perf_counter() - started)
        self._leave()


def p99(took: list[float]) -> float:
    """The slowest of a hundred."""
    return quantiles(took, n=100)[-1]


# S4


def _putting(stage: Stage, stack: ExitStack) -> list[Case]:
    clips = Clips(PUTS, 48 * K)
    ours = stack.enter_context(closing(open_tier(stage.config())))
    twin = stack.enter_context(closing(open_tier(stage.config())))
    bare = Bare(clips, twin, wal_autocheckpoint=0)
    ratios: list[float] = []

    def put_ours(key: str) -> None:
        ours.put_many([clips.entries[key]])

    def by_driver() -> tuple[float, str]:
        bare.driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        took = _put_times(clips, bare.upsert, twin)
        return sum(took) / len(took), ""

    def by_us() -> tuple[float, str]:
        took = _put_times(clips, put_ours, ours)
        ratios.append(p99(took) / median(took))
        return sum(took) / len(took), ""

    wal = Path(f"{ours.stats()['db_path']}-wal")
    return [
        Case(
            "S4", "SQLite put while serving, mean", Figure("no checkpoint", by_driver),
            Figure("ours", by_us), 1.2, allowance=COMMIT,
        ),
        Case(
            "S4", "SQLite put while serving, p99", Fixed("p50", 1),
            Figure("ours", lambda: (median(ratios), "")), 5, allowance=COMMIT, rounds=1,
        ),
        Case(
            "S4", "SQLite WAL afterwards", Fixed("-", 1),
            Figure("ours", lambda: (wal.stat().st_size / 2**20, "")), 128, unit="MiB", rounds=1,
        ),
    ]  # fmt: skip


def _put_times(clips: Clips, put: Callable[[str], None], tier: PersistentTier) -> list[float]:
    took = []
    keys = cycle(clips.keys)
    with Paced(lambda: tier.get(next(keys)), PACE_SECONDS, tier.release):
        for key in clips.keys:
            started = perf_counter()
            put(key)
            took.append(perf_counter() - started)
    if not all(clips.is_entry(key, tier.get(key)) for key in clips.keys):
        raise WrongAnswer("a put was lost")
    return took


# S7


class Culled(NamedTuple):
    """What a cull cost."""

    alone: float
    took: float
    reader: float
    """p99, times that of an idle file."""
    writer: float
    """p99 in ms."""


def _culling(stage: Stage, stack: ExitStack) -> list[Case]:
    number = stage.size(10_000, 1000)

    @cache
    def culled() -> Culled:
        return _cull(stage, stack, number)

    def figure(take: Callable[[Culled], float]) -> Figure:
        return Figure("ours", lambda: (take(culled()), f"DELETE alone {culled().alone:.2g} s"))

    name = f"culling {number} rows of 48 KiB while serving"
    return [
        Case("S7", name, Fixed("-", 1), figure(lambda one: one.took), 1,
             unit="s", rounds=1, allowance=COMMIT),
        Case("S7", f"{name}, readers' p99", Fixed("p99 idle", 1), figure(lambda one: one.reader),
             2, rounds=1),
        Case("S7", f"{name}, writers' p99", Fixed("-", 1), figure(lambda one: one.writer), 12,
             unit="ms", rounds=1, allowance=COMMIT),
    ]  # fmt: skip


def _cull(stage: Stage, stack: ExitStack, number: int) -> Culled:
    def expired() -> PersistentTier:
        tier = open_tier(stage.config(persistent_max_size=0, persistent_max_mb=0))
        stack.callback(tier.close)
        entries = [entry._replace(expires=1, keep_until=1) for entry in clips.entries.values()]
        tier.tidying.due = float("inf")  # the puts are not to sweep what is culled
        tier.put_many(entries)
        tier.put_many(list(living.entries.values()))
        return tier

    clips, living = Clips(number, 48 * K), Clips(100, 48 * K, characters=70)
    alone = Bare(clips, expired())
    started = perf_counter()
    alone.driver.execute("DELETE FROM audiocache_entry WHERE keep_until <= 1")
    took_alone = perf_counter() - started
    tier = expired()
    idle, _ = _served(tier, living, lambda: time.sleep(1.0))
    started = perf_counter()
    reader, writer = _served(tier, living, tier.cleanup)
    took = perf_counter() - started
    if tier.stats()["entry_count"] != 100:
        raise WrongAnswer("the cull left something, or took too much")
    return Culled(took_alone, took, reader / idle, writer * 1000)


def _served(
    tier: PersistentTier, clips: Clips, meanwhile: Callable[[], object]
) -> tuple[float, float]:
    """p99 of reads and of writes, in seconds."""
    keys = cycle(clips.keys)
    reads = Paced(lambda: tier.get(next(keys)), PACE_SECONDS, tier.release)
    writes = Paced(
        lambda: tier.put_many([clips.entries[next(keys)]]), 5 * PACE_SECONDS, tier.release
    )
    with reads, writes:
        meanwhile()
    return p99([*reads.took, *reads.took]), p99([*writes.took, *writes.took])


# S8


def _together(stage: Stage, name: str, *, processes: int, threads: int) -> Case:
    folder = stage.new_folder("together")

    def figure(who: str) -> Figure:
        given: dict[str, Any] = {
            "who": who, "cache": str(folder), "threads": threads,
            "seconds": 0.8 if stage.quick else 2.0,
        }  # fmt: skip

        def take() -> tuple[float, str]:
            said = Crew(stage, processes, "benchmarks.rows.load:pound", given).work()
            errors = [error for one in said for error in one["errors"]]
            if who == "ours" and errors:
                raise WrongAnswer(f"{len(errors)} errors: {errors[0]}")
            puts = sum(one["puts"] for one in said)
            calls = sum(one["calls"] for one in said)
            return given["seconds"] / max(calls, 1), f"{puts} puts, {len(errors)} threads failed"

        return Figure(who, take)

    return Case(
        "S8",
        f"9 gets to a put of 4 KiB, {name}, a call",
        figure("sqlite3"),
        figure("ours"),
        1.25,
        peers=[figure("diskcache"), figure("ORM")],
        allowance=COMMIT,
        rounds=stage.size(3, 2),
    )
