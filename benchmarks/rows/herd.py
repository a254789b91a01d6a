"""H1 and H2: many ask for a clip that is not there, and its making takes 300 ms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import diskcache
import redis
from django.core.cache import caches
from django.db import connections
from dogpile.cache import make_region

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import CacheConfig
from benchmarks.cases import Case, Figure, Fixed, WrongAnswer
from benchmarks.processes import Crew
from benchmarks.stage import Stage

THREADS: Final = 200
PROCESSES: Final = 4
THREADS_EACH: Final = 50
MAKING_SECONDS: Final = 0.3
SOUND: Final = b"\x07" * 4096
Ask = Callable[[str, Callable[[], bytes]], Any]


@contextmanager
def cases(stage: Stage) -> Iterator[list[Case]]:
    """The limit is one making."""
    with closing(MultiTierAudioCache(stage.config())) as cache:
        cache.put("warm", b"up")
        yield [
            _threads(stage, cache),
            _processes(stage, "idle", 1.15, loaded=False),
            _processes(stage, "under the load of S8", 2, loaded=True),
        ]


def _make(calls: Path) -> bytes:
    """Slow, and counted by a byte in a file."""
    with calls.open("ab", buffering=0) as file:
        file.write(b".")
    time.sleep(MAKING_SECONDS)
    return SOUND


def _herd(ask: Ask, text: str, calls: Path, threads: int) -> float:
    """When the last of so many who ask at once has its clip, in seconds. Raises WrongAnswer."""
    gate = threading.Barrier(threads + 1)

    def one() -> tuple[bool, float]:
        gate.wait()
        try:
            right = ask(text, lambda: _make(calls)) == SOUND
        finally:
            connections.close_all()
        return right, time.perf_counter()

    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(one) for _ in range(threads)]
        gate.wait()
        started = time.perf_counter()
        done = [job.result() for job in jobs]
    if not all(right for right, _ in done):
        raise WrongAnswer("somebody of the herd got something else")
    return max(at for _, at in done) - started


def _counted(calls: Path, *, alone: bool) -> str:
    """How many calls there were. Raises WrongAnswer where only one may be."""
    number = calls.stat().st_size
    if alone and number != 1:
        raise WrongAnswer(f"{number} calls")
    return f"{number} call" + "s" * (number != 1)


# H1


def _threads(stage: Stage, cache: MultiTierAudioCache) -> Case:
    folder = stage.new_folder("herd")
    disk: Any = diskcache.Cache(str(folder / "diskcache"))
    region = make_region().configure("dogpile.cache.memory")

    def stampede(text: str, make: Callable[[], bytes]) -> Any:
        return diskcache.memoize_stampede(disk, expire=60, name=text)(make)()

    def figure(name: str, ask: Ask) -> Figure:
        def take() -> tuple[float, str]:
            calls = folder / uuid4().hex
            took = _herd(ask, calls.name, calls, THREADS)
            return took, _counted(calls, alone=name == "ours")

        return Figure(name, take)

    return Case(
        "H1",
        f"{THREADS} threads, one missing clip, the last has it",
        Fixed("one call of 300 ms", MAKING_SECONDS),
        figure("ours", cache.get_or_create),
        1.06,
        peers=[
            figure("Django's get_or_set", caches["default"].get_or_set),
            figure("memoize_stampede", stampede),
            figure("dogpile", region.get_or_create),
        ],
        rounds=5,
    )


# H2


def ask_at_once(given: Mapping[str, Any]) -> Callable[[], float]:
    """The work of a process of the herd."""
    if given["who"] == "ours":
        cache = MultiTierAudioCache(CacheConfig(persistent_path=given["cache"]))
        cache.get("warm")
        ask: Ask = cache.get_or_create
    else:
        client = redis.Redis.from_url(given["redis_url"], max_connections=2 * THREADS_EACH)
        ask = partial(_under_lock, client)
    return lambda: _herd(ask, given["text"], Path(given["calls"]), THREADS_EACH)


def _under_lock(client: Any, text: str, make: Callable[[], bytes]) -> bytes:
    """As redis-py's documentation has it."""
    sound: bytes | None = client.get(text)
    if sound is None:
        with client.lock(f"lock:{text}", timeout=10):
            sound = client.get(text)
            if sound is None:
                sound = make()
                client.set(text, sound)
    return sound


@contextmanager
def _pounding(stage: Stage, load: Mapping[str, Any]) -> Iterator[None]:
    """While other processes use the same file."""
    crew = Crew(stage, PROCESSES, "benchmarks.rows.load:pound", load)
    crew.go()
    time.sleep(0.5)
    yield
    crew.answers()


def _processes(stage: Stage, name: str, goal: float, *, loaded: bool) -> Case:
    folder = stage.new_folder("herds")
    load = {"who": "ours", "cache": str(folder), "threads": 2, "seconds": 5.0}

    def figure(who: str) -> Figure:
        def take() -> tuple[float, str]:
            calls = folder / uuid4().hex
            given = {"who": who, "cache": str(folder), "calls": str(calls), "text": calls.name}
            crew = Crew(stage, PROCESSES, "benchmarks.rows.herd:ask_at_once", given)
            with _pounding(stage, load) if loaded else nullcontext():
                last = max(crew.work())
            return last, _counted(calls, alone=who == "ours")

        return Figure(who, take)

    return Case(
        "H2",
        f"{PROCESSES} processes of {THREADS_EACH} threads, {name}, the last has it",
        Fixed("one call of 300 ms", MAKING_SECONDS),
        figure("ours"),
        goal,
        peers=[figure("Redis lock")] if not loaded else [],
        rounds=stage.size(3, 1),
    )
