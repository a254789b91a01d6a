"""One call under way: what is known of it, whom it waits for, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from audiocache.exceptions import AudioCacheError, WaitExpired

T = TypeVar("T")


class FlightAbandoned(AudioCacheError):
    """The making was stopped (exit, cancellation) before there was an outcome.

    Raised to the caller who began it; those who joined begin anew.
    """


@dataclass(frozen=True, slots=True)
class Later:
    """There is no outcome yet: call again when this future is done."""

    future: Future[Any]


class Flight(Generic[T]):
    """One call under way."""

    __slots__ = ("awaits", "future", "joined", "loop", "lost", "thread")

    def __init__(self) -> None:
        self.awaits: set[Flight[Any]] = set()
        """The flights that this call has joined: it may be waiting for them."""
        self.joined = 0
        """Callers who share it with the one who began it."""
        self.thread: int | None = None
        """The thread that makes the call, or that runs its task; None before it begins."""
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that runs its task."""
        self.lost: Callable[[], object] | None = None
        """To be told when that loop is closed before the task has ended."""
        self.future: Future[T] = Future()
        # Running from the start: a waiter that is cancelled cannot cancel it for the others.
        self.future.set_running_or_notify_cancel()


making: Final[ContextVar[tuple[Flight[Any], ...]]] = ContextVar("audiocachemaking", default=())
"""The calls that the running code is part of: it goes along to tasks and to threads of ours."""


def leads_to(flight: Flight[Any], makings: tuple[Flight[Any], ...]) -> bool:
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


async def landed(begin: Callable[[], tuple[Future[T], bool]]) -> tuple[T, bool]:
    """What comes of a call that is begun or joined: anew where one that was joined is abandoned."""
    while True:
        future, joined = begin()
        try:
            return await asyncio.wrap_future(future), joined
        except FlightAbandoned:
            if not joined:
                raise
