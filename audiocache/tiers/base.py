"""What a tier is: six plural verbs, and the single ones written once on them.

A miss is absence; trouble is a `TierError`. A tier knows nothing of the other tiers, of
hit counts or of falling back: that is the ladder's business (`audiocache.ladder`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Final

from audiocache.entries import AudioEntry
from audiocache.leases import LeaseStore
from audiocache.removals import ALL, KEY, Ledger, Removal, Stream
from audiocache.tiers.places import PlaceStore

LEAVINGS: Final = (
    "evicted", "expired", "oversize", "refused", "corrupt", "newer_schema", "unreachable",
)  # fmt: skip
"""Why an entry is not, or no longer, in a tier; counted by tier."""

EvictionListener = Callable[[str, Sequence[str], str], None]
"""Told (tier name, keys, reason) when entries leave a tier for want of room or at their end."""


class Tier(ABC):
    """One place where entries are kept.

    Entries are returned until `keep_until`, so a stale one may come back: look at `expires`.
    Every verb raises TierUnavailable, TierBusy or another TierError, and nothing wider.
    """

    name: ClassVar[str]
    """memory, persistent or distributed: where it stands in settings and statistics."""
    alias: str = ""
    """Of the database whose tables it has."""
    shared: bool = False
    """Other processes see the same entries."""
    keeps_counts: bool = False
    """Holds the installation's counters: `add_counts` and `read_counts` work."""
    places: PlaceStore | None = None
    """Where callers of a provider may hold places, in a tier that can keep them."""
    log: Ledger | Stream | None = None
    """Where removals are written down for the others, in what they share."""
    inline: bool = False
    """Answers at once: no query, no socket, no lock that can wait."""
    takes_spares: bool = True
    """Stores what nobody has asked for yet, too."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(LEAVINGS, 0)
        """Since the start of the process."""
        self.on_evict: EvictionListener | None = None
        self.leases: LeaseStore | None = None
        """Where processes that share this tier agree on who does a thing."""

    @abstractmethod
    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        """The entries that are there, by key."""

    @abstractmethod
    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        """Store entries; the keys taken. An entry over the tier's limit, or one that the store
        refuses, is left out and counted; TierError when the store refuses all.

        `only_missing` is a back-fill: an entry that is there is not replaced. A tier with a log
        takes a `guard`, too, and takes nothing where a log may say more of the entries by now.
        """

    @abstractmethod
    def remove_many(self, keys: Collection[str]) -> int:
        """Remove entries; how many were there and had not reached their end."""

    @abstractmethod
    def remove_group(self, field: str, value: str, namespace: str = "") -> int:
        """Remove all entries whose `text_digest`, `source_key` or `tags` is or holds `value`.

        How many live ones that were. Of a `text_digest` only those in the namespace: the same
        text in another is another's.
        """

    @abstractmethod
    def clear(self) -> None:
        """Remove this cache's entries, and no neighbour's."""

    @abstractmethod
    def cleanup(self) -> int:
        """Remove all entries past `keep_until`; how many. 0 where the store does it by itself."""

    @abstractmethod
    def stats(self) -> dict[str, Any]:
        """backend_type, entry_count, total_size_bytes, limits and what else the tier knows."""

    @abstractmethod
    def unknown_stats(self) -> dict[str, Any]:
        """The part of `stats` that needs no answer from the store; the rest is None."""

    @abstractmethod
    def check(self) -> None:
        """Return when the tier works; raise TierError with what is wrong."""

    def remove_all(self, removals: Sequence[Removal]) -> int:
        """Remove what removals say; how many live ones were there."""
        if any(removal.field == ALL for removal in removals):
            self.clear()
            return 0
        keys = [removal.value for removal in removals if removal.field == KEY]
        groups = [removal for removal in removals if removal.field != KEY]
        removed = self.remove_many(keys) if keys else 0
        return removed + sum(self.remove_group(r.field, r.value, r.namespace) for r in groups)

    def namespaces_of(self, text_digest: str) -> set[str]:  # noqa: ARG002 - for those who override it
        """Digests of the namespaces in which it has a text, where it knows no names. For no
        request: it may look at all that there is.
        """
        return set()

    def apply(self, removals: Sequence[Removal]) -> None:  # noqa: ARG002 - for those who override it
        """Remove what others removed; who cannot tell what that is forgets everything."""
        self.clear()

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are there and fresh at `now` (ms)."""
        return {key for key, entry in self.get_many(keys).items() if entry.expires > now}

    def get(self, key: str) -> AudioEntry | None:
        """The entry, or None."""
        return self.get_many((key,)).get(key)

    def peek_many(self, keys: Collection[str]) -> Sequence[AudioEntry]:  # noqa: ARG002 - for those who override it
        """The entries that can be looked at without a question to anybody; no use of them."""
        return ()

    def touched(self, hits: Mapping[str, int], now: int) -> None:  # noqa: B027
        """Take note of hits by key since the last call, oldest first."""

    def add_counts(self, deltas: Mapping[str, int], now: int) -> bool:  # noqa: ARG002 - for those who override it
        """Add to the installation's counters; False where `keeps_counts` is."""
        return False

    def read_counts(self) -> dict[str, int]:
        """The installation's counters by name, all processes together."""
        return {}

    def release(self) -> None:  # noqa: B027 - a tier may hold nothing by thread
        """Close this thread's connection; its next use opens another."""

    def rest(self) -> None:  # noqa: B027 - a tier may hold nothing by thread
        """Close this thread's connection where somebody may wait for that."""

    def pause(self) -> None:
        """It is used again in a few seconds: close what is opened again at no cost."""
        self.release()

    def close(self) -> None:
        """Close this thread's connection and those that nobody uses at the moment."""
        self.release()
        if self.leases is not None:
            self.leases.close()

    def evicted(self, keys: Sequence[str], reason: str) -> None:
        """Count entries that left and tell the listener; `reason` is evicted or expired."""
        if number := len(keys):
            self.counts[reason] += number
            if self.on_evict is not None:
                self.on_evict(self.name, keys, reason)
