"""The making of a missing clip, step by step: a turn, a last look, the call, the store.

Whoever drives it (a caller's thread, a thread of ours, a task) does the waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from audiocache.entries import AudioEntry, Clip, Recording
from audiocache.flight import FlightAbandoned, Later
from audiocache.leases import ABANDONED, FAILED, NOWHERE, STORED
from audiocache.sharing import Sharing
from audiocache.storing import Mark
from audiocache.turns import Turn, Turns, Wait


class Store(Protocol):
    """Where a clip is looked for and stored."""

    def removal_mark(self) -> Mark:
        """The present, as removals are concerned."""

    def look_again(self, clip: Clip) -> AudioEntry | None:
        """An entry that another stored since the look-up; counts nothing."""

    def store_made(self, clip: Clip, recording: Recording, mark: Mark) -> tuple[AudioEntry, int]:
        """Store it unless it was removed since the mark; how many tiers took it."""


class Making:
    """One clip's way from a miss to an entry. Every method may block."""

    def __init__(self, clip: Clip, store: Store, turns: Turns, sharing: Sharing) -> None:
        self._clip = clip
        self._store = store
        self._turns = turns
        self._sharing = sharing
        self._turn: Turn | None = None
        self._wait: Wait | None = None
        self._mark: Mark | None = None
        self._given_up = False

    def run(self, create: Callable[[], Recording]) -> AudioEntry | Later:
        """Make it, unless another has or does; its error is the callers' everywhere."""
        try:
            found = self.begin()
            return self.finish(create()) if found is None else found
        except BaseException as error:
            self.give_up(error)
            raise

    def begin(self) -> AudioEntry | Later | None:
        """The entry that another made, or when to ask again; None: it is our turn to call.

        Raises the error of the one that we waited for.
        """
        if (heard := self._heard()) is not None:
            return heard
        if self._sharing.leased:
            name = self._sharing.name_of(self._clip.source_key)
            turn = self._turns.take(name, self._sharing.seconds)
            if isinstance(turn, Wait):
                self._wait = turn
                return Later(turn.future)
            self._turn = turn
            if self._given_up:  # its task was cancelled while a thread of ours was at this
                self._settle(ABANDONED)
        self._mark = self._store.removal_mark()
        found = self._store.look_again(self._clip)
        if found is not None:
            self._settle(STORED)
        return found

    def finish(self, recording: Recording) -> AudioEntry:
        """Store what was made, and tell those who wait."""
        assert self._mark is not None  # it began
        entry, tiers = self._store.store_made(self._clip, recording, self._mark)
        self._settle(STORED if tiers else NOWHERE)
        return entry

    def give_up(self, error: BaseException) -> None:
        """Tell those who wait of an error; after any other end they begin anew."""
        self._given_up = True
        if isinstance(error, Exception) and not isinstance(error, FlightAbandoned):
            self._settle(FAILED + self._sharing.pack(error))
        else:
            self._settle(ABANDONED)

    def _heard(self) -> AudioEntry | None:
        """What came of the turn that we waited for, if that is an entry. Raises its error."""
        wait, self._wait = self._wait, None
        told = wait.future.result() if wait is not None else None
        if told is None:
            return None
        if told.startswith(FAILED):
            raise self._sharing.unpack(told.removeprefix(FAILED))
        return self._store.look_again(self._clip) if told == STORED else None

    def _settle(self, outcome: str) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.settle(outcome)
