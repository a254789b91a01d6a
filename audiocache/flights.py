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
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from audiocache.flight import Flight, FlightAbandoned, Later, leads_to, making
from audiocache.forks import renew_in_child

T = TypeVar("T")

Submit = Callable[[Callable[[], None]], object]
"""Runs a job: now, or on another thread."""
Call = Callable[[], T | Later]


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

    @property
    def waiting(self) -> int:
        """Callers who joined a call that is under way."""
        return sum(flight.joined for flight in list(self._flights.values()))

    def __len__(self) -> int:
        return len(self._flights)

    def after_fork(self) -> None:
        """Start anew: in a forked child the leaders of these flights do not exist."""
        self._flights: dict[str, Flight[T]] = {}
        self._lock = threading.Lock()

    def _join(self, key: str, *, blocking: bool) -> tuple[Flight[T], bool]:
        mine = making.get()
        self._leave_dead(key)
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight()
                return flight, False
            if (blocking and flight.thread == threading.get_ident()) or leads_to(flight, mine):
                raise RuntimeError("create() asked for the very clip that it is making")
            flight.joined += 1
            for one in mine:
                one.awaits.add(flight)
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
        token = making.set((*making.get(), flight))
        try:
            with self._landing(key, flight) as answer:
                answer.append(call())
        finally:
            making.reset(token)
        if answer and isinstance(answer[0], Later):
            again = partial(context.run, self._lead, key, flight, call, submit)
            self._lead_later(key, flight, answer[0], lambda: submit(again))

    def _lead_later(
        self, key: str, flight: Flight[T], later: Later, launch: Callable[[], object]
    ) -> None:
        def again(_: Future[Any]) -> None:
            # Where no thread is to be had, those who wait are told; here there is nobody.
            with suppress(RuntimeError):
                self._launch(key, flight, launch)

        flight.thread = None
        later.future.add_done_callback(again)

    def _lead_task(
        self, key: str, flight: Flight[T], call: Callable[[], Awaitable[T]]
    ) -> asyncio.Task[None]:
        async def lead() -> None:
            making.set((*making.get(), flight))
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
