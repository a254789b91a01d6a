"""Single flight: one making of a clip, however many ask for it at the same time.

A flight knows no cache: callers of one key share the result, or the error, of one call.
Threads and asyncio tasks join the same flight. The lock table does not grow: a flight is
gone from it the moment it lands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from audiocache.exceptions import WaitExpired
from audiocache.forks import renew_in_child

T = TypeVar("T")

Submit = Callable[[Callable[[], None]], object]
"""Runs a job: now, or on another thread."""


class FlightAbandoned(Exception):
    """The leader was stopped before there was an outcome. Never seen by callers: they join anew."""


class Flight(Generic[T]):
    """One call under way."""

    __slots__ = ("future", "leader")

    def __init__(self) -> None:
        self.leader = threading.get_ident()
        self.future: Future[T] = Future()
        # Running from the start: a waiter that is cancelled cannot cancel it for the others.
        self.future.set_running_or_notify_cancel()


class Flights(Generic[T]):
    """The calls under way in this process, by key."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_child(self)

    def run(self, key: str, call: Callable[[], T]) -> tuple[T, bool]:
        """The outcome of `call`, run in this thread or shared; True when it was another's."""
        while True:
            future, joined = self.start(key, call, _now)
            try:
                return future.result(), joined
            except FlightAbandoned:
                if not joined:
                    raise

    def start(self, key: str, call: Callable[[], T], submit: Submit) -> tuple[Future[T], bool]:
        """The future of the call under way; else `call` is submitted. True when joined.

        Raises RuntimeError when a call asks for what it is itself making.
        """
        flight, joined = self._join(key)
        if joined:
            return flight.future, True
        try:
            submit(lambda: self._lead(key, flight, call))
        except BaseException:
            if not flight.future.done():  # nothing ran: there is no thread to be had
                self._land(key)
                flight.future.set_exception(FlightAbandoned(key))
            raise
        return flight.future, False

    def __len__(self) -> int:
        return len(self._flights)

    def after_fork(self) -> None:
        """Start anew: in a forked child the leaders of these flights do not exist."""
        self._flights: dict[str, Flight[T]] = {}
        self._lock = threading.Lock()

    def _join(self, key: str) -> tuple[Flight[T], bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = Flight()
                return flight, False
        if flight.leader == threading.get_ident() and not flight.future.done():
            raise RuntimeError("create() asked for the very clip that it is making")
        return flight, True

    def _lead(self, key: str, flight: Flight[T], call: Callable[[], T]) -> None:
        flight.leader = threading.get_ident()
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiters get it too
            self._land(key)
            flight.future.set_exception(error)
        except BaseException:
            self._land(key)
            flight.future.set_exception(FlightAbandoned(key))
            raise
        else:
            self._land(key)
            flight.future.set_result(result)

    def _land(self, key: str) -> None:
        with self._lock:
            self._flights.pop(key, None)


def _now(job: Callable[[], None]) -> None:
    job()


def outcome(future: Future[T], timeout: float) -> T:
    """The result or the error of a flight. Raises WaitExpired after `timeout` seconds."""
    try:
        return future.result(max(0.0, timeout))
    except TimeoutError:
        if future.done():  # the call's own error
            raise
        raise WaitExpired from None
