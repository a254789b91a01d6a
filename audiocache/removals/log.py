"""The two kinds of logs. A ledger stands in a database and is whole; a stream stands in Redis,
which may lose it or come back with an older one.

Positions count up by one, so that a gap shows. Each entry has a mark, so that another entry at
the same position shows, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from audiocache.forks import RenewedLock
from audiocache.removals.values import Removal, Row

KEPT: Final = 10_000
"""Entries that a log holds; who was away for more forgets what it has."""


class Cursor(NamedTuple):
    """How far a log has been read."""

    history: str = ""
    """Of a stream: another one began anew."""
    position: int = 0
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.history}:{self.position}:{self.mark}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """The cursor written so; None when it is none."""
        history, _, rest = text.partition(":")
        position, _, mark = rest.partition(":")
        valid = history and mark and position.isascii() and position.isdigit()
        return cls(history, int(position), mark) if valid else None


class Origin(NamedTuple):
    """The rows of a ledger that an entry of a stream repeats."""

    ledger: str
    first: int
    last: int


class News(NamedTuple):
    """One entry of a log."""

    cursor: Cursor
    """Behind this entry."""
    rows: tuple[Row, ...]
    origin: Origin | None = None


class Reading(NamedTuple):
    """What is new in a log."""

    cursor: Cursor
    news: tuple[News, ...] = ()
    gap: bool = False
    """The log no longer reaches back to where it was read last."""
    turned: bool = False
    """What was read is not what stands there now: an older state came back."""


class Guard(NamedTuple):
    """What was known of the logs when an entry was read: who stores it where a log has moved
    on since might bring back what was removed.
    """

    ledger: int = 0
    stream: Cursor = Cursor()


class Own:
    """Entries of a log that this process wrote: it need not hear of them. The latest ones."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._lock = RenewedLock()

    def add(self, name: str) -> None:
        """Remember an entry by its name in the log."""
        with self._lock:
            self._names[name] = None
            if len(self._names) > KEPT:
                del self._names[next(iter(self._names))]

    def clear(self) -> None:
        """Forget them: what is called so from now on is another's."""
        with self._lock:
            self._names.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._names


class Log(ABC):
    """A log; trouble is a TierError. What stands in it is applied to the tier that carries it."""

    own: Own
    """The marks or positions of what this process wrote."""

    @abstractmethod
    def read(self, cursor: Cursor | None) -> Reading:
        """What came behind the cursor, some hundred entries at most; None: only where it ends."""

    @abstractmethod
    def remove(
        self,
        removals: Sequence[Removal],
        at: int,
        origin: Origin | None = None,
        late: bool = False,
    ) -> tuple[int, Origin | None]:
        """Remove entries from the tier and say so in its log: also when we are killed half way.

        How many were there, and where it stands in a ledger. `late`: it was to be removed at that
        time (ms), and what came after it stays.
        """


class Ledger(Log):
    """A database's log, which is also a follower of Redis' stream."""

    name: str
    """Its identity as far as this process knows it."""
    position: int
    """The last one that this process knows of."""

    @abstractmethod
    def identity(self, *, make: bool = False) -> str:
        """A name of this log that no other has; empty as long as nobody needed to make it."""

    @abstractmethod
    def followed(self) -> tuple[Cursor | None, dict[str, int]]:
        """How far the database follows the stream; and how far each ledger that it heard of."""

    @abstractmethod
    def follow(self, before: Cursor | None, reading: Reading, heard: Mapping[str, int]) -> bool:
        """Apply what a stream says; False when another process was faster."""


class Stream(Log):
    """Redis' log."""

    end: Cursor
    """Where it ended when Redis answered last."""
    ledger: str
    """Whose `reached` every look-up reads along."""
    reached_ledger: int
    """What that was when Redis answered last."""

    @property
    @abstractmethod
    def answered_ledger(self) -> int:
        """What that was when Redis answered this thread last."""

    @abstractmethod
    def reached(self, ledger: str) -> int:
        """Up to where Redis has what a ledger says; 0 when it does not know the ledger."""

    @abstractmethod
    def pass_over(self, origin: Origin) -> None:
        """Make void what Redis holds, for a ledger no longer says what these rows said."""

    @abstractmethod
    def publish(self, rows: Sequence[Row], origin: Origin | None) -> bool:
        """Apply rows that Redis has not heard of; False when another process was faster."""

    @abstractmethod
    def renew(self) -> None:
        """Make void all that Redis holds."""
