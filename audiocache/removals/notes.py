"""What was removed stays removed (law 10): removals that a read or a making may have missed.

Who reads or begins to make a clip takes a mark. Before and after it stores the clip, it asks
whether the clip was removed since, and does not bring it back. What others removed is noted
here when their logs are read.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from audiocache.entries import NEVER, AudioEntry
from audiocache.forks import renew_in_child
from audiocache.removals.values import Removal

REMEMBERED: Final = 10_000
"""Notes; who took a mark before the oldest is told that everything was removed."""


class Removals:
    """The latest removals of this process."""

    def __init__(self) -> None:
        self._log: deque[tuple[int, Sequence[Removal], int]] = deque(maxlen=REMEMBERED)
        self._count = 0
        self.after_fork()
        renew_in_child(self)

    def mark(self) -> int:
        """The present; to be asked about later."""
        return self._count

    def note(self, removals: Sequence[Removal], at: int = NEVER) -> None:
        """These are being removed, or have just been; by others at that time (ms)."""
        with self._lock:
            self._count += 1
            self._log.append((self._count, removals, at))

    def since(self, mark: int, entry: AudioEntry, *, told: int = 0) -> bool:
        """Was the entry removed since the mark? `told`: by what others said then (ms) or later;
        earlier removals may have been heard only now.
        """
        if self._count == mark:
            return False
        with self._lock:
            later = [note for note in self._log if note[0] > mark]
            forgotten = self._count - mark > len(later)
        removals = [one for _, noted, at in later if at >= told for one in noted]
        return forgotten or any(removal.concerns(entry) for removal in removals)

    def after_fork(self) -> None:
        """A lock that another thread held is held for ever in the child."""
        self._lock = threading.Lock()
