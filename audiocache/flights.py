"""Single flight: one making of a clip, however many ask for it at the same time.

A flight knows no cache: callers of one key share the result, or the error, of one call.
Threads and asyncio tasks join the same flight. The table does not grow: a flight is gone
from it the moment it lands. A call may answer that it has to wait (`Later`): then it is made
again, and holds no thread of ours meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from audiocache.exceptions import AudioCacheError, WaitExpired
from audiocache.forks import renew_in_child

T = TypeVar("T")

Submit = Callable[[Callable[[], None]], object]
"""Runs a job: now, or on another thread."""


class FlightAbandoned(AudioCacheError):
    """The making was stopped (exit, cancellation) before there was an outcome.

    Raised to the caller who began it; those who joined begin anew.
    """


@dataclass(frozen=True, slots=True)
class Later:
    """There is no outcome yet: call again when this future is done."""

    future: Future[Any]


Call = Callable[[], T | Later]


class Flight(Generic[T]):
    """One call under way."""

    __slots__ = ("awaits", "future", "loop", "lost", "thread")

    def __init__(self) -> None:
        self.awaits: set[Flight[Any]] = set()
        """The flights that this call has joined: it may be waiting for them."""
        self.thread: int | None = None
        """The thread that makes the call, or that runs its task; None before it begins."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that runs its task."""
        self.lost: Callable[[], object] | None = None
        """To be told when that loop is closed before the task has ended."""
        self.future: Future[T] = Future()
        # Running from the start: a waiter that is cancelled cannot cancel it for the others.
        self.future.set_running_or_notify_cancel()


_making: Final[ContextVar[tuple[Flight[Any], ...]]] = ContextVar("audiocache_making", default=())
"""The calls that the running code is part of: it goes along to tasks and to threads of ours."""


class Flights(Generic[T]):
    """The calls under way in this process, by key."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_child(self)

    def run(self, key: str, call: Call[T]) -> tuple[T, bool]:
        """The outcome of `call`, run in this thread or shared; True when it was another's.

        Raises RuntimeError when it would wait for what this thread itself is making, or for
        a call that waits for that.
        """
        while True:
            future, joined = self.start(key, lambda: _waited(call), _now, blocking=True)
            try:
                return future.result(), joined
            except FlightAbandoned:
                if not joined:
                    raise

    def start(
        self, key: str, call: Call[T], submit: Submit, *, blocking: bool = False
    ) -> tuple[Future[T], bool]:
        """The future of the call under way; else `call` is submitted. True when joined."""
        flight, joined = self._join(key, blocking=blocking)
        if not joined:
            self._launch(key, flight, lambda: submit(lambda: self._lead(key, flight, call, submit)))
        return flight.future, joined

    def start_task(
        self, key: str, call: Callable[[], Awaitable[T]], lost: Callable[[], object]
    ) -> tuple[Future[T], bool]:
        """As `start`, with `call` as a task of the running loop, which holds no thread.

        `lost` is called when the loop is closed before it ends.
        """
        flight, joined = self._join(key, blocking=False)
        if not joined:
            flight.lost = lost
            self._launch(key, flight, lambda: _tasks.add(self._lead_task(key, flight, call)))
        return flight.future, joined

    def __len__(self) -> int:
        return len(self._flights)

    def after_fork(self) -> None:
        """Start anew: in a forked child the leaders of these flights do not exist."""
        self._flights: dict[str, Flight[T]] = {}
        self._lock = threading.Lock()

    def _join(self, key: str, *, blocking: bool) -> tuple[Flight[T], bool]:
        mine = _making.get()
        self._leave_dead(key)
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight()
                return flight, False
            if (blocking and flight.thread == threading.get_ident()) or _leads_to(flight, mine):
                raise RuntimeError("create() asked for the very clip that it is making")
            for making in mine:
                making.awaits.add(flight)
        return flight, True

    def leave_dead(self) -> None:
        """Those who wait for a task whose loop was closed begin anew."""
        for key in list(self._flights):
            self._leave_dead(key)

    def _leave_dead(self, key: str) -> None:
        """A task whose loop was closed goes on no more, and tells nobody."""
        flight = self._flights.get(key)
        if flight is not None and flight.loop is not None and flight.loop.is_closed():
            self._abandon(key, flight)
            if flight.lost is not None:
                flight.lost()

    def _abandon(self, key: str, flight: Flight[T]) -> None:
        self._land(key, flight, error=FlightAbandoned(key))

    def _launch(self, key: str, flight: Flight[T], launch: Callable[[], object]) -> None:
        try:
            launch()
        except BaseException:
            self._abandon(key, flight)  # it never ran: there is no thread to be had
            raise

    def _lead(self, key: str, flight: Flight[T], call: Call[T], submit: Submit) -> None:
        context = copy_context()
        flight.thread = threading.get_ident()
        token = _making.set((*_making.get(), flight))
        try:
            with self._landing(key, flight) as answer:
                answer.append(call())
        finally:
            _making.reset(token)
        if answer and isinstance(answer[0], Later):
            again = partial(context.run, self._lead, key, flight, call, submit)
            self._lead_later(key, flight, answer[0], lambda: submit(again))

    def _lead_later(
        self, key: str, flight: Flight[T], later: Later, launch: Callable[[], object]
    ) -> None:
        flight.thread = None
        later.future.add_done_callback(lambda _: self._launch(key, flight, launch))

    def _lead_task(
        self, key: str, flight: Flight[T], call: Callable[[], Awaitable[T]]
    ) -> asyncio.Task[None]:
        async def lead() -> None:
            _making.set((*_making.get(), flight))
            with self._landing(key, flight) as result:
                result.append(await call())

        flight.loop = asyncio.get_running_loop()
        task = flight.loop.create_task(lead())
        flight.thread = threading.get_ident()
        task.add_done_callback(_tasks.discard)
        # Cancelled before its first step, it has landed nothing.
        task.add_done_callback(lambda _: self._abandon(key, flight))
        return task

    @contextmanager
    def _landing(self, key: str, flight: Flight[T]) -> Iterator[list[T | Later]]:
        """Whatever comes of the making lands the flight, but that there is nothing yet."""
        answer: list[T | Later] = []
        try:
            yield answer
        except StopIteration as error:  # no future and no coroutine can carry it: PEP 479
            stopped = RuntimeError("create() raised StopIteration")
            stopped.__cause__ = error
            self._land(key, flight, error=stopped)
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiters get it too
            self._land(key, flight, error=error)
        except GeneratorExit:  # a task of a closed loop, by the garbage collector: see `lost`
            raise
        except BaseException:
            self._land(key, flight, error=FlightAbandoned(key))
            raise
        else:
            if not isinstance(answer[0], Later):
                self._land(key, flight, result=answer[0])

    def _land(
        self, key: str, flight: Flight[T], *, result: Any = None, error: Exception | None = None
    ) -> None:
        """Off the table first: who asks from now on looks into the cache again. Once."""
        with self._lock:
            if self._flights.get(key) is not flight:
                return
            del self._flights[key]
        if error is None:
            flight.future.set_result(result)
        else:
            flight.future.set_exception(error)


_tasks: set[asyncio.Task[None]] = set()
"""Loops hold their tasks weakly; a leader that nobody waits for must not vanish."""


def _now(job: Callable[[], None]) -> None:
    job()


def _waited(call: Call[T]) -> T:
    """The call's outcome, waited for in this thread."""
    while isinstance(answer := call(), Later):
        answer.future.result()
    return answer


def _leads_to(flight: Flight[Any], makings: tuple[Flight[Any], ...]) -> bool:
    """Is it one of these makings, or does it wait for one?"""
    seen: set[Flight[Any]] = set()
    ahead = [flight] if makings else []
    while ahead:
        one = ahead.pop()
        if one in makings:
            return True
        if one not in seen and not one.future.done():
            seen.add(one)
            ahead.extend(one.awaits)
    return False


def outcome(future: Future[T], timeout: float) -> T:
    """The result or the error of a flight. Raises WaitExpired after `timeout` seconds."""
    try:
        return future.result(max(0.0, timeout))
    except TimeoutError:
        if future.done():  # the call's own error
            raise
        raise WaitExpired from None
