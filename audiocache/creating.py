"""The verbs that make what is missing: one call for all who ask, in whatever process."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from audiocache.entries import AudioEntry, Clip, Recording
from audiocache.flight import FlightAbandoned, outcome
from audiocache.flights import Flights
from audiocache.ladder import Ladder
from audiocache.lanes import Lanes
from audiocache.making import Making
from audiocache.sharing import SHARED, Sharing
from audiocache.stats import Recorder
from audiocache.storing import Mark
from audiocache.turns import Turns
from audiocache.verbs import TextVerbs


class CreatingVerbs(TextVerbs):
    """On a miss: join the call under way in this process, or wait for the turn over all of them."""

    ladder: Ladder
    recorder: Recorder
    looks: Flights[AudioEntry | None]
    flights: Flights[AudioEntry]
    turns: Turns
    makers: Lanes

    def find_or_create(
        self, clip: Clip, create: Callable[[], Recording], sharing: Sharing = SHARED
    ) -> AudioEntry:
        """The entry of a clip; on a miss `create()`, in this thread, makes it once."""
        entry = self.look(clip)
        while entry is None:
            making = self.making(clip, sharing)
            name = sharing.name_of(clip.source_key)
            made, joined = self.flights.run(name, partial(making.run, create))
            entry = self.told(clip, made, joined)
        return entry

    def find_or_begin(
        self,
        clip: Clip,
        create: Callable[[], Recording],
        timeout: float,
        sharing: Sharing = SHARED,
    ) -> AudioEntry:
        """As `find_or_create`, with `create` on a thread of ours, so that the caller can leave.

        Raises WaitExpired after `timeout` seconds; what was begun is finished and stored.
        """
        until = time.monotonic() + timeout
        entry = self.look(clip)
        while entry is None:
            future, joined = self.begin(clip, create, sharing)
            try:
                made = outcome(future, until - time.monotonic())
            except FlightAbandoned:
                if not joined:
                    raise
                continue
            entry = self.told(clip, made, joined)
        return entry

    def look(self, clip: Clip) -> AudioEntry | None:
        """As `find`, but of those who miss memory at the same time one alone asks the tiers below:
        a herd waits for the making, and not in a queue for the database.
        """
        if entry := self.at_hand(clip):
            return entry
        return self.looked(clip, *self.looks.run(clip.key, partial(self.find_below, clip)))

    def looked(self, clip: Clip, found: AudioEntry | None, joined: bool) -> AudioEntry | None:
        """What a look-up below is to a caller: another's miss is counted for this one, too, while
        what another found may have been removed since.
        """
        if joined and found is not None:
            return self.find_below(clip)
        if joined:
            self.ladder.note_miss()
        return found

    def begin(
        self, clip: Clip, create: Callable[[], Recording], sharing: Sharing = SHARED
    ) -> tuple[Future[AudioEntry], bool]:
        """Make a missing clip on a thread of ours, or join its making; True when joined.

        The caller may leave: what was begun is finished and stored. The future's entry may
        be another rendition of the same source: then look again.
        """
        making = self.making(clip, sharing)
        submit = partial(self.makers.submit, lane=sharing.lane)
        name = sharing.name_of(clip.source_key)
        return self.flights.start(name, partial(making.run, create), submit)

    def making(self, clip: Clip, sharing: Sharing) -> Making:
        """The way of a missing clip to its entry, over all processes."""
        return Making(clip, self, self.turns, sharing)

    def told(self, clip: Clip, made: AudioEntry, joined: bool) -> AudioEntry | None:
        """What was made, as it is told to a caller: marked when another made it.

        It may be another rendition of the same source; then the caller's own, if it is there.
        """
        if made.key != clip.key:
            return self.look_again(clip)
        if not joined:
            return made
        self.recorder.bump("joined")
        return made._replace(joined=True)

    # The steps of a making

    def removal_mark(self) -> Mark:
        """The present; what is removed from now on is not brought back by a making."""
        return self.ladder.mark_making()

    def look_again(self, clip: Clip) -> AudioEntry | None:
        """An entry that another stored since the look-up; counts nothing."""
        return self.ladder.peek(clip)

    def look_for_any(self, keys: Sequence[str]) -> AudioEntry | None:
        """The first of them that is in a tier; counts nothing."""
        return self.ladder.peek_any(keys)

    def store_made(self, clip: Clip, recording: Recording, mark: Mark) -> tuple[AudioEntry, int]:
        """Store what was made on a miss, unless it was removed since the mark.

        The entry, and how many tiers took it.
        """
        self.recorder.bump("created")
        entry = self.entry(clip, recording)
        self.ladder.recheck()
        tiers = self.keep(entry, mark)
        return (entry if tiers else entry._replace(nowhere=True)), tiers

    # Given by the cache

    @abstractmethod
    def entry(self, clip: Clip, recording: Recording) -> AudioEntry:
        """What is stored of a recording: with its life, which begins now."""

    @abstractmethod
    def keep(self, entry: AudioEntry, mark: Mark) -> int:
        """Store it in every tier, unless it was removed since the mark; how many took it."""
