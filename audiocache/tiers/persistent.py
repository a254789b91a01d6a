"""The persistent tier: rows of AudioCacheEntry on a database connection of the cache's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Self

from audiocache import database
from audiocache.clock import Clock, now_ms
from audiocache.conf import KIB, MIB, PERSISTENT, CacheConfig
from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema, TierBusy, TierError, TierUnavailable
from audiocache.legacy.target import Limits
from audiocache.removals import ALL, KEY, Guard, Removal
from audiocache.rows import AUDIO, entry_in
from audiocache.tiers.base import Tier
from audiocache.tiers.clip_files import ClipFiles, FileTrouble
from audiocache.tiers.sql import dialect_for
from audiocache.tiers.sql.batches import batches, batches_of
from audiocache.tiers.sql.clips import EntryConnection, Filed, SqlClips
from audiocache.tiers.sql.counts import Counting
from audiocache.tiers.sql.leases import leases_on
from audiocache.tiers.sql.log import How, SqlLedger
from audiocache.tiers.sql.places import SqlPlaces
from audiocache.tiers.sql.removing import Removing
from audiocache.tiers.sql.room import Room
from audiocache.tiers.sql.tidying import Tidying
from audiocache.tiers.sql.upserting import Upserting


class PersistentTier(Tier):
    """On SQLite or PostgreSQL; bounded by rows and bytes, the least recently used leave first."""

    name: ClassVar[str] = PERSISTENT
    shared = True
    keeps_counts = True

    def __init__(
        self,
        alias: str,
        *,
        max_entries: int = 0,
        max_bytes: int = 0,
        files: ClipFiles | None = None,
        clock: Clock = now_ms,
    ) -> None:
        super().__init__()
        self.alias = alias
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        files = files or ClipFiles(alias)
        self._database = EntryConnection(alias, Limits(max_entries, max_bytes), files)
        self.vendor: str = self._database.wrapper.vendor
        self._sql = dialect_for(self.vendor)
        self._one = self._sql.entries(1)
        self.leases = leases_on(self._database)
        self._counting = Counting(self._database, self._sql)
        self._removing = Removing(self._database, self._sql, clock)
        bought = self._removing.purchases
        self._room = Room(self._database, self._sql, max_entries, max_bytes, bought)
        self.places = SqlPlaces(self._database, self._sql)
        self.log: SqlLedger = SqlLedger(self._database, self._sql, self._removing)
        self.tidying = Tidying(self._database, self._sql, self._removing, self.log, clock)
        self._upserting = Upserting(self._database, self._sql, self.log, clock)
        self.clips = SqlClips(self._database, self._sql, files, self.counts)
        self._clock = clock

    @classmethod
    def from_config(cls, config: CacheConfig, clock: Clock = now_ms) -> Self:
        """On the alias the configuration means. Raises ImproperlyConfigured."""
        alias = database.alias_of(config)
        return cls(
            alias,
            max_entries=config.persistent_max_size,
            max_bytes=int(config.persistent_max_mb * MIB),
            files=ClipFiles(alias, config.storage or "", int(config.inline_max_kb * KIB)),
            clock=clock,
        )

    # Reading

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        """The entries that are there, verified; a bad row is counted and deleted."""
        found: dict[str, AudioEntry] = {}
        for batch in batches(keys):
            for row in self._database.read(self._sql.entries(len(batch)), batch):
                if entry := self._entry_in(row):
                    found[entry.key] = entry
        return found

    def get(self, key: str) -> AudioEntry | None:
        """See `get_many`, whose lists and batches cost as much as a small look-up."""
        rows = self._database.read(self._one, (key,))
        return self._entry_in(rows[0]) if rows else None

    def _entry_in(self, row: Sequence[Any]) -> AudioEntry | None:
        try:
            entry = self.clips.entry(row[0]) if row[AUDIO] is None else entry_in(row, PERSISTENT)
        except NewerSchema:
            self.counts["newer_schema"] += 1
        except FileTrouble:
            self.counts["unreachable"] += 1
        except CorruptEntry:
            self.counts["corrupt"] += 1
            self._removing.drop(row[:1])
        else:
            return entry if entry and entry.keep_until > self._clock() else None
        return None

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are fresh at `now`; reads no audio."""
        return {
            key
            for batch in batches(keys)
            for (key,) in self._database.read(self._sql.fresh(len(batch)), [now, *batch])
        }

    # Writing

    def put_many(
        self,
        entries: Sequence[AudioEntry],
        *,
        only_missing: bool = False,
        guard: Guard | None = None,
    ) -> set[str]:
        """Upsert entries in one statement a batch; evict and sweep a little where it is due."""
        latest = {entry.key: entry for entry in entries}
        fitting = {key: entry for key, entry in latest.items() if self._fits(entry)}
        if not only_missing:  # what is not taken here still replaces its older sound
            self.remove_many(latest.keys() - fitting.keys())
        how, taken = How(only_missing, guard), set[str]()
        refusals: list[TierError] = []
        # In the order of their keys: two writers of the same rows cannot deadlock.
        for batch in batches_of(fitting[key] for key in sorted(fitting)):
            taken |= self._take_in(batch, how, refusals)
        if refusals and not taken:
            raise refusals[-1]
        if taken:
            self._expire(self.tidying.after(len(taken)))
        return taken

    def _take_in(self, batch: list[AudioEntry], how: How, refusals: list[TierError]) -> set[str]:
        """Store a batch and make room for it, in one turn; who listens is told after it."""
        evicted: list[list[str]] = []
        try:
            with self.clips.filed(batch) as filed, self._room.turn(len(batch)):
                filed.taken.update(self._store(batch, how, refusals, filed))
                self._room.make(evicted)
            return filed.taken
        finally:
            for keys in evicted:
                self.evicted(keys, "evicted")

    def _store(
        self, batch: list[AudioEntry], how: How, refusals: list[TierError], filed: Filed
    ) -> set[str]:
        """The keys taken; an entry that the database refuses costs only itself."""
        try:
            return self._upserting.upsert(batch, how, filed.names)
        except (TierBusy, TierUnavailable):
            raise
        except TierError as error:
            if len(batch) > 1:
                singly = (self._store([entry], how, refusals, filed) for entry in batch)
                return set().union(*singly)
            self.counts["refused"] += 1
            refusals.append(error)
        if not how.only_missing:
            self.remove_many([batch[0].key])
        return set()

    def _fits(self, entry: AudioEntry) -> bool:
        if self.max_bytes and entry.size > self.max_bytes:
            self.counts["oversize"] += 1
            return False
        return True

    def touched(self, hits: Mapping[str, int], now: int) -> None:
        """Add hits; the last key was used last."""
        self._counting.touch(hits, now)

    # Removing

    def remove_many(self, keys: Collection[str]) -> int:
        """Delete rows by key; how many live ones were there."""
        return self._removing.apply(Removal(KEY, key) for key in keys)

    def remove_group(self, field: str, value: str, namespace: str = "") -> int:
        """Delete the entries of a text in a namespace, a source or a tag, in portions."""
        return self._removing.apply([Removal(field, value, namespace)])

    def clear(self) -> None:
        """Delete all rows of this schema or an older one, in portions."""
        self._removing.apply([Removal(ALL)])

    def cleanup(self) -> int:
        """Delete all rows past their time, in portions with pauses; and files without a row."""
        self.clips.sweep()
        return sum(map(self._expire, self.tidying.wholly()))

    def _expire(self, rows: Sequence[Any]) -> int:
        self.evicted([key for key, *_ in rows], "expired")
        return len(rows)

    def add_counts(self, deltas: Mapping[str, int], now: int) -> bool:
        """Add to the counters of all time and of this hour."""
        return self._counting.add(deltas, now)

    def read_counts(self) -> dict[str, int]:
        """The counters of all time."""
        return self._counting.read()

    def stats(self) -> dict[str, Any]:
        """Totals, from where they are maintained, and limits."""
        return self._room.stats()

    def unknown_stats(self) -> dict[str, Any]:
        """Type, limits and, for SQLite, the file."""
        return self._room.unknown_stats()

    def check(self) -> None:
        """Ask for an entry that cannot be, with all its columns. Raises TierError."""
        self.get_many(("",))

    def rest(self) -> None:
        """A test run drops its database, and waits for nobody."""
        if self._database.is_test:
            self.release()

    def pause(self) -> None:
        """A file is opened in a millisecond, and may have been deleted."""
        self._database.pause()

    def release(self) -> None:
        """Close this thread's connection."""
        self._database.release()

    def close(self) -> None:
        """See `Tier.close`; ends the threads that delete files, too."""
        self.clips.files.close()
        super().close()
