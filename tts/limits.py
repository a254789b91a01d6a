"""How many calls a provider gets at once from all processes, and from when on again.

Who calls holds a place (`audiocache.places`) for the time of one attempt. Live requests come
before warming, and first come first in a process; processes look every POLL_SECONDS.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from audiocache.gate import Gate
from audiocache.places import Place, Places
from tts.deadline import Deadline
from tts.exceptions import NoPlace, ProviderDown, ProviderError, RateLimited
from tts.providers.base import Provider

MAX_RETRY_AFTER: Final = 60.0
"""Seconds; who asks for more is not asked again."""
UNAVAILABLE: Final = (503, 529)
"""With one of these a `Retry-After` is for all; 529 is told by some who have too much to do."""
POLL_SECONDS: Final = 0.02
REPEAT_SECONDS: Final = 60.0
MARGIN_MS: Final = 1_000
"""A place is held for so long beyond the deadline of its call, unless it is given back."""
LIVE_MS: Final = 400
"""So long after it looked in vain a live request is taken to wait still."""
LIVE: Final = 0
WARMING: Final = 1

_rank: ContextVar[int] = ContextVar("tts_rank", default=LIVE)
"""It goes along to the threads of ours on which clips are made."""


@contextmanager
def warming() -> Iterator[None]:
    """What is asked for within can wait until nobody else does."""
    token = _rank.set(WARMING)
    try:
        yield
    finally:
        _rank.reset(token)


def warming_at_once(most: int | None) -> int:
    """Calls that warming makes at once: one place is left to those whom somebody waits for.

    Without a limit (TTS_MAX_CONCURRENT) one after the other: nobody said what is allowed.
    """
    return max(1, (most or 1) - 1)


class CallLimits:
    """The limits of one provider. Safe under threads; a local provider has none."""

    def __init__(self, provider: Provider, most: int | None, places: Places) -> None:
        self._provider = provider
        self._most = most
        self.places = places
        """Where all processes see who calls: those of the cache in use."""
        self._name = provider.account
        self._gate = Gate(most) if most else None
        self._told: int | None = None
        self._told_at = 0.0
        self._not_before = 0.0
        self._live = f"live {provider.account}"
        """While that pauses, live requests wait for places."""
        self._keep_away_at = 0.0

    @contextmanager
    def place(
        self, queue: Deadline, deadline: Deadline, waited_until: float = 0.0
    ) -> Iterator[None]:
        """The right to call. The time in the queue is no part of the call's `deadline`.

        Who asks again has waited by the rules of `tts.retry` for what it was told itself:
        `waited_until` is what `heed` answered then.
        Raises NoPlace where the queue's own deadline passes first, and RateLimited
        where the provider asked all to wait for longer than that.
        """
        began = time.monotonic()
        ms = round(deadline.remaining() * 1000) + MARGIN_MS
        with self._in_turn(queue) as turn:
            place = self._taken(turn, queue, ms, waited_until)
            deadline.extend(time.monotonic() - began)
            try:
                yield
            finally:
                if place is not None:
                    place.give_back()

    def heed(self, failure: Exception | None) -> float:
        """What the provider said of its limits, in its answer or by an error.

        Until when, by the monotonic clock, all are to wait for that; 0.0: they are not.
        """
        error = failure if isinstance(failure, ProviderError) else None
        if self._most:
            self._learn(error, self._most)
        return self._ask_all_to_wait(error) if error is not None and _is_busy(error) else 0.0

    @property
    def pause(self) -> float:
        """Seconds for which nobody is to call, as the provider asked; 0.0: there is none."""
        return max(0.0, self._pause(0.0))

    def stats(self) -> dict[str, int | None]:
        """The limit, and how many of this process call and wait."""
        gate = self._gate
        calling, waiting = (None, None) if gate is None else (gate.inside, gate.waiting)
        return {"max_concurrent": self._most, "calling": calling, "waiting": waiting}

    def _ask_all_to_wait(self, error: ProviderError) -> float:
        ms = math.ceil(min(error.retry_after or 0.0, MAX_RETRY_AFTER) * 1000)
        self._not_before = max(self._not_before, time.monotonic() + ms / 1000)
        self.places.pause(self._name, ms)
        return time.monotonic() + ms / 1000  # not before that of the store

    def _learn(self, error: ProviderError | None, most: int) -> None:
        """How many calls at once there may be: guessed from a refusal, or as it was said.

        A guess begins with what all processes are allowed now, as it grows while all goes well.
        """
        if isinstance(error, RateLimited) and error.at_once:
            self._told = None  # what was said before is no longer what holds
            self.places.lower(self._name, most)
        elif (said := self._provider.allowed_calls) and self._is_news(said):
            self._told, self._told_at = said, time.monotonic()
            self.places.narrow(self._name, said, firm=True)

    def _is_news(self, said: int) -> bool:
        """What is said in every answer is passed on now and then, so that it is not forgotten."""
        return said != self._told or time.monotonic() >= self._told_at + REPEAT_SECONDS

    @contextmanager
    def _in_turn(self, queue: Deadline) -> Iterator[_Turn]:
        """So that a process has no more callers than there are places."""
        turn = _Turn(self._gate)
        try:
            self._enter(turn, queue)
            yield turn
        finally:
            turn.leave()

    def _enter(self, turn: _Turn, queue: Deadline) -> None:
        if not turn.enter(queue.remaining()):
            raise self._too_late()

    def _taken(self, turn: _Turn, queue: Deadline, ms: int, waited_until: float) -> Place | None:
        """A place, once there is one and nobody is to wait; None: there is no limit."""
        while True:
            place = self._try(ms)
            if place is None and self._most:
                self._wait_for_place(turn, queue)
            elif (pause := self._pause(waited_until)) > 0:
                if place is not None:
                    place.give_back()
                self._wait_out(pause, queue)
            else:
                return place

    def _try(self, ms: int) -> Place | None:
        """A place, if there is one now. Warming leaves them to those whom somebody waits for."""
        most = self._most
        if not most:
            return None
        if _rank.get() == LIVE:
            return self.places.take(self._name, most, ms)
        if self.places.paused(self._live):
            return None
        return self.places.take(self._name, warming_at_once(most), ms)

    def _wait_for_place(self, turn: _Turn, queue: Deadline) -> None:
        """A live request keeps warming away, everywhere; who warms waits in nobody's way."""
        if _rank.get() == LIVE:
            if time.monotonic() >= self._keep_away_at:
                self._keep_away_at = time.monotonic() + LIVE_MS / 4000
                self.places.pause(self._live, LIVE_MS)
            self._wait(POLL_SECONDS, queue)
            return
        turn.leave()
        self._wait(POLL_SECONDS, queue)
        self._enter(turn, queue)

    def _pause(self, waited_until: float) -> float:
        """Seconds for which nobody is to call: as all know, or this process alone.

        What ends before `waited_until` has been waited out.
        """
        now = time.monotonic()
        pause = max(self.places.paused(self._name) / 1000, self._not_before - now)
        return pause if now + pause > waited_until else 0.0

    def _wait(self, seconds: float, queue: Deadline) -> None:
        if queue.remaining() <= seconds:
            raise self._too_late()
        time.sleep(seconds)

    def _wait_out(self, pause: float, queue: Deadline) -> None:
        if queue.remaining() <= pause:
            name = self._provider.name
            raise RateLimited(
                f"{name}: asked all to wait for {pause:.0f} s", provider=name, retry_after=pause
            )
        time.sleep(pause)

    def _too_late(self) -> NoPlace:
        return NoPlace(
            f"{self._provider.name}: no place among TTS_MAX_CONCURRENT ({self._most}) in time"
        )


def _is_busy(error: ProviderError) -> bool:
    """Did it ask for time, and for other reasons than this one request?"""
    unavailable = isinstance(error, ProviderDown) and error.status in UNAVAILABLE
    return bool(error.retry_after) and (unavailable or isinstance(error, RateLimited))


class _Turn:
    """Of a caller at the gate of its process; there may be no gate."""

    def __init__(self, gate: Gate | None) -> None:
        self._gate = gate
        self._inside = False

    def enter(self, timeout: float) -> bool:
        """See `Gate.enter`."""
        self._inside = self._gate is None or self._gate.enter(timeout, _rank.get())
        return self._inside

    def leave(self) -> None:
        """For others; unless it has left."""
        if self._gate is not None and self._inside:
            self._inside = False
            self._gate.leave()
