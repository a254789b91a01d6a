"""The persistent tier: rows of AudioCacheEntry on a database connection of the cache's own."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, ClassVar, Final, Self

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from xxhash import xxh3_64_intdigest

from audiocache import database
from audiocache.clock import Clock, now_ms
from audiocache.conf import MIB, PERSISTENT, CacheConfig
from audiocache.entries import AudioEntry
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.models import SCHEMA_VERSION
from audiocache.tiers.base import Tier
from audiocache.tiers.sql import dialect_for
from audiocache.tiers.sql.base import READ

BATCH: Final = 100
"""Rows in one statement."""
SWEEP_SECONDS: Final = 1.0
SWEEP_ROWS: Final = 20
"""Expired rows that a put deletes at most, once in SWEEP_SECONDS: it works without Celery."""
EVICT_ROWS: Final = 64
"""Rows that one eviction deletes at most."""
PAUSE_SECONDS: Final = 0.002
"""Between batches of a long delete, so that others get their turn."""
HOUR_MS: Final = 3_600_000

_LABELS: Final = ("provider", "model", "voice", "language")
_AUDIO, _SCHEMA, _CHECKSUM = (READ.index(name) for name in ("audio", "schema_version", "checksum"))
_TAGS = READ.index("tags")


class PersistentTier(Tier):
    """On SQLite or PostgreSQL; bounded by rows and bytes, the least recently used leave first."""

    name: ClassVar[str] = PERSISTENT
    shared = True
    keeps_counts = True

    def __init__(
        self, alias: str, *, max_entries: int = 0, max_bytes: int = 0, clock: Clock = now_ms
    ) -> None:
        super().__init__()
        self.alias = alias
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.vendor: str = connections[alias].vendor
        self._sql = dialect_for(self.vendor)
        self._clock = clock
        self._sweep_at = 0.0

    @classmethod
    def from_config(cls, config: CacheConfig, clock: Clock = now_ms) -> Self:
        """On the alias the configuration means. Raises ImproperlyConfigured."""
        return cls(
            database.alias_of(config),
            max_entries=config.persistent_max_size,
            max_bytes=int(config.persistent_max_mb * MIB),
            clock=clock,
        )

    # Reading

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        """The entries that are there, verified; a bad row is counted and deleted."""
        found, corrupt = {}, []
        for batch in _batches(keys):
            for row in self._query(self._sql.entries(len(batch)), batch):
                if row[_SCHEMA] > SCHEMA_VERSION or row[_AUDIO] is None:
                    self.counts["newer_schema"] += 1
                elif (entry := self._entry(row)) is None:
                    corrupt.append(row[0])
                elif entry.keep_until > self._clock():
                    found[entry.key] = entry
        if corrupt:
            self._discard_corrupt(corrupt)
        return found

    def has_many(self, keys: Collection[str], now: int) -> set[str]:
        """The keys that are fresh at `now`; reads no audio."""
        return {
            key
            for batch in _batches(keys)
            for (key,) in self._query(self._sql.fresh(len(batch)), [now, *batch])
        }

    @staticmethod
    def _entry(row: Sequence[Any]) -> AudioEntry | None:
        audio = bytes(row[_AUDIO])
        if _checksum(audio) != row[_CHECKSUM]:
            return None
        tags = tuple(json.loads(row[_TAGS])) if row[_TAGS] else ()
        return AudioEntry._make((*row[:_TAGS], tags, audio, PERSISTENT, False, False))

    def _discard_corrupt(self, keys: list[str]) -> None:
        number = len(keys)
        self.counts["corrupt"] += number
        self._query(self._sql.delete_keys(len(keys)), keys)

    # Writing

    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        """Upsert entries in one statement a batch; evict and sweep a little where it is due."""
        fitting = {entry.key: entry for entry in entries if self._fits(entry)}
        taken: set[str] = set()
        # In the order of their keys: two writers of the same rows cannot deadlock.
        for batch in _batches(sorted(fitting)):
            taken |= self._upsert([fitting[key] for key in batch], only_missing)
        if taken:
            self._keep_within_limits()
            self._sweep_now_and_then()
        return taken

    def _fits(self, entry: AudioEntry) -> bool:
        if self.max_bytes and entry.size > self.max_bytes:
            self.counts["oversize"] += 1
            return False
        return True

    def _upsert(self, entries: Sequence[AudioEntry], only_missing: bool) -> set[str]:
        sql = self._sql.upsert(len(entries), only_missing=only_missing)
        now = self._clock()
        values = [value for entry in entries for value in _row(entry, now)]
        if only_missing:
            values.append(now)
        tags = [(tag, entry.key) for entry in entries for tag in entry.tags]
        with self._transaction(needed=bool(tags)):
            taken = {key for (key,) in self._query(sql, values)}
            for batch in _batches(pair for pair in tags if pair[1] in taken):
                self._run(self._sql.add_tags(len(batch)), [v for pair in batch for v in pair])
        return taken

    def _keep_within_limits(self) -> None:
        """Evict until the maintained totals are within both limits, or only pins are left."""
        if not (self.max_entries or self.max_bytes):
            return
        while (excess := self._excess()) and self._evict(*excess):
            pass

    def _excess(self) -> tuple[int, int] | None:
        entries, size = self._totals()
        rows = max(0, entries - self.max_entries) if self.max_entries else 0
        spare = max(0, size - self.max_bytes) if self.max_bytes else 0
        return (rows, spare) if rows or spare else None

    def _evict(self, rows: int, size: int) -> int:
        """Delete the least recently used rows that make up `rows` and `size`; how many."""
        ids: list[int] = []
        for row_id, row_size in self._query(self._sql.select_least_used, [EVICT_ROWS]):
            if len(ids) >= rows and size <= 0:
                break
            ids.append(row_id)
            size -= row_size
        return self._delete(self._sql.delete_ids(len(ids)), ids, "evicted") if ids else 0

    def _sweep_now_and_then(self) -> None:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_SECONDS
            self._delete(self._sql.delete_kept_until, [self._clock(), SWEEP_ROWS], "expired")

    def touched(self, hits: Mapping[str, int], now: int) -> None:
        """Add hits; the last key was used last, so each gets an instant of its own."""
        first = now - len(hits) + 1
        uses = [(number, first + place, key) for place, (key, number) in enumerate(hits.items())]
        for batch in _batches(sorted(uses, key=lambda use: use[2])):
            with self._transaction(needed=True), self._trouble() as connection:
                connection.connection.cursor().executemany(self._sql.touch, batch)

    # Removing

    def remove_many(self, keys: Collection[str]) -> int:
        """Delete rows by key; how many were there."""
        return sum(
            len(self._query(self._sql.delete_keys(len(batch)), batch)) for batch in _batches(keys)
        )

    def remove_group(self, field: str, value: str) -> int:
        """Delete the entries of a text, a source or a tag, in batches."""
        return self._delete_all(self._sql.delete_group(field), value)

    def clear(self) -> None:
        """Delete all rows of this schema or an older one, in batches."""
        self._delete_all(self._sql.delete_some, SCHEMA_VERSION)

    def cleanup(self) -> int:
        """Delete all rows past `keep_until`, in batches with a pause between them."""
        return self._delete_all(self._sql.delete_kept_until, self._clock(), reason="expired")

    def _delete_all(self, sql: str, value: str | int, reason: str | None = None) -> int:
        removed = 0
        while number := self._delete(sql, [value, BATCH], reason):
            removed += number
            if number < BATCH:
                break
            time.sleep(PAUSE_SECONDS)
        return removed

    def _delete(self, sql: str, values: Sequence[Any], reason: str | None) -> int:
        keys = [key for (key,) in self._query(sql, values)]
        if reason:
            self.evicted(keys, reason)
        return len(keys)

    # Counting

    def add_counts(self, deltas: Mapping[str, int], now: int) -> bool:
        """Add to the counters of all time and of this hour."""
        hour = now - now % HOUR_MS
        rows = sorted(
            (name, resolution, period, value)
            for name, value in deltas.items()
            for resolution, period in (("a", 0), ("h", hour))
        )
        for batch in _batches(rows):
            self._run(self._sql.add_counts(len(batch)), [v for row in batch for v in row])
        return True

    def read_counts(self) -> dict[str, int]:
        """The counters of all time."""
        return dict(self._query(self._sql.select_counts, ()))

    def stats(self) -> dict[str, Any]:
        """Totals, from where they are maintained, and limits."""
        entries, size = self._totals()
        return self.unknown_stats() | {"entry_count": entries, "total_size_bytes": size}

    def unknown_stats(self) -> dict[str, Any]:
        """Type, limits and, for SQLite, the file."""
        path = {"db_path": str(self._connection().settings_dict["NAME"])}
        return {
            "backend_type": self.vendor,
            "entry_count": None,
            "total_size_bytes": None,
            "max_entries": self.max_entries or None,
            "max_bytes": self.max_bytes or None,
        } | (path if self.vendor == "sqlite" else {})

    def check(self) -> None:
        """Ask for the totals. Raises TierError."""
        self._totals()

    def release(self) -> None:
        """Close this thread's connection."""
        self._connection().close()

    def _totals(self) -> tuple[int, int]:
        [(entries, size)] = self._query(self._sql.select_totals, ())
        return int(entries or 0), int(size or 0)

    # The connection

    def _connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._trouble() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(sql, values)
            return cursor.fetchall()  # type: ignore[no-any-return]

    def _run(self, sql: str, values: Sequence[Any]) -> None:
        with self._trouble() as connection:
            connection.connection.cursor().execute(sql, values)

    @contextmanager
    def _transaction(self, *, needed: bool) -> Iterator[None]:
        if not needed:
            yield
            return
        with self._trouble(), transaction.atomic(using=self.alias):
            yield

    @contextmanager
    def _trouble(self) -> Iterator[BaseDatabaseWrapper]:
        """The connection, ready for use; its errors as TierError."""
        connection = self._connection()
        try:
            database.prepare(connection)
            connection.ensure_connection()
            with connection.wrap_database_errors:
                yield connection
        except (DatabaseError, InterfaceError, OSError) as error:
            self._recover(connection)
            raise _tier_error(error) from error

    def _recover(self, connection: BaseDatabaseWrapper) -> None:
        """Begin anew next time: with another connection, and with a look at the file."""
        if not connection.in_atomic_block:
            connection.close()
        database.unprepare(self.alias)


def _tier_error(error: Exception) -> TierError:
    reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if isinstance(error, OperationalError) and "locked" in reason:
        return TierBusy(reason)
    if isinstance(error, OperationalError | InterfaceError | OSError) or _schema_is_missing(error):
        return TierUnavailable(reason)
    return TierError(type(error).__name__)


def _schema_is_missing(error: Exception) -> bool:
    """PostgreSQL says so with a ProgrammingError: 42P01 no table, 42703 no column."""
    return getattr(error.__cause__, "sqlstate", "") in {"42P01", "42703"}


def _row(entry: AudioEntry, now: int) -> Iterator[Any]:
    """The values of a row, in the order of the upsert's columns."""
    for name in AudioEntry._fields[:_TAGS]:
        yield getattr(entry, name)
    yield json.dumps(entry.tags) if entry.tags else ""
    yield entry.audio
    yield SCHEMA_VERSION
    yield _checksum(entry.audio)
    labels = json.loads(entry.variant) if entry.variant else {}
    for label in _LABELS:
        yield _label(labels.get(label, ""))
    yield len(entry.audio)
    yield now


def _label(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\x00", "")


def _checksum(audio: bytes) -> int:
    """xxh3_64 as the signed integer that both databases keep."""
    unsigned = xxh3_64_intdigest(audio)
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned


def _batches(items: Any) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
