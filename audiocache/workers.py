"""Threads of ours for what must not hold the caller: lower tiers under asyncio, paid calls."""

from __future__ import annotations

import contextvars
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, Protocol, TypeVar

from audiocache.forks import renew_in_child

R = TypeVar("R")

MAX_THREADS: Final = 32
_NO_MORE: Final = "cannot schedule new futures"
"""So says a pool when the interpreter ends."""


class Executor(Protocol):
    """Runs a call, now or on another thread."""

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """The future of the call."""

    def close(self, farewell: Callable[[], None]) -> None:
        """End; each thread says `farewell` first."""


class Workers:
    """A lazily started thread pool that carries context variables and survives a fork."""

    def __init__(self, name: str = "audiocache", max_threads: int = MAX_THREADS) -> None:
        self._name = name
        self._max_threads = max_threads
        self._pool: ThreadPoolExecutor | None
        self._threads: set[int]
        self._jobs: set[Future[Any]]
        self._lock: threading.Lock
        self.after_fork()
        renew_in_child(self)
        _all.add(self)

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """Run `call` on a thread of ours, in a copy of the caller's context.

        When the interpreter ends there are no threads to be had: then here and now, for callers
        whose own threads it still waits for.
        """
        try:
            job = self._start().submit(contextvars.copy_context().run, call)
        except RuntimeError as error:
            if not str(error).startswith(_NO_MORE):
                raise
            return Inline().submit(call)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    def close(self, farewell: Callable[[], None]) -> None:
        """Finish what runs, let every thread say `farewell`, end them. May be used again."""
        with self._lock:
            pool, self._pool = self._pool, None
            threads, self._threads = self._threads, set()
            jobs, self._jobs = self._jobs, set()
        if pool is None:
            return
        wait(list(jobs))
        said: set[int] = set()
        while threads - said:  # a thread that seemed busy a moment ago had another one started
            # Each farewell waits for all others, so that each thread gets one.
            gathering = threading.Barrier(len(threads))
            wait([pool.submit(_part, gathering, farewell, said) for _ in range(gathering.parties)])
        pool.shutdown(wait=True)

    def finish(self) -> None:
        """Wait for what runs and for what it starts meanwhile; the threads stay."""
        while jobs := list(self._jobs):
            wait(jobs)

    def _start(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    self._max_threads, self._name, _enter, (self._threads,)
                )
            return self._pool

    def after_fork(self) -> None:
        """Start anew: the pool's threads stayed in the parent."""
        self._pool = None
        self._threads = set()
        self._jobs = set()
        self._lock = threading.Lock()


class Inline:
    """Runs each call at once in the caller's thread."""

    def submit(self, call: Callable[[], R]) -> Future[R]:
        """Run `call` now."""
        future: Future[R] = Future()
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - the future carries it to whoever waits
            future.set_exception(error)
        return future

    def close(self, farewell: Callable[[], None]) -> None:
        """Nothing to end."""


_all: Final[weakref.WeakSet[Workers]] = weakref.WeakSet()


def finish_all() -> None:
    """Wait for all that threads of ours have begun."""
    for workers in list(_all):
        workers.finish()


def _enter(threads: set[int]) -> None:
    threads.add(threading.get_ident())


def _part(gathering: threading.Barrier, farewell: Callable[[], None], said: set[int]) -> None:
    gathering.wait()
    if threading.get_ident() not in said:
        said.add(threading.get_ident())
        farewell()
