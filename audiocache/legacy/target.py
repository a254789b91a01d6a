"""The table that rows are brought into: what it has, and what it has room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import connections
from django.db.models import QuerySet, Sum

from audiocache.clock import Clock
from audiocache.content_types import sniff
from audiocache.entries import NEVER
from audiocache.keys import clip_key, clip_of
from audiocache.legacy.source import Row
from audiocache.models import AudioCacheEntry, Total
from audiocache.rows import LABELS, checksum, labels_in

_FIELDS: Final = [
    field
    for field in AudioCacheEntry._meta.concrete_fields  # noqa: SLF001 - a documented API
    if not field.primary_key
]
_NAMES: Final = ", ".join(field.attname for field in _FIELDS)
_MARKS: Final = f"({', '.join(['%s'] * len(_FIELDS))})"
_INSERT: Final = (
    f"INSERT INTO audiocache_entry ({_NAMES})"  # noqa: S608 - names of a model
    " VALUES {} ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the table that is imported into; 0 is no limit of that kind."""

    max_entries: int = 0
    max_bytes: int = 0


class Space:
    """What is left of the limits of a table that has so much."""

    def __init__(self, limits: Limits, entries: int, size: int) -> None:
        self._rows = limits.max_entries - entries if limits.max_entries else NEVER
        self._bytes = limits.max_bytes - size if limits.max_bytes else NEVER

    def takes(self, size: int) -> bool:
        """Is there room for an entry of so many bytes? It is the entry's then."""
        fits = self._rows > 0 and size <= self._bytes
        if fits:
            self._rows -= 1
            self._bytes -= size
        return fits


@dataclass(frozen=True, slots=True)
class Naming:
    """What the rows are called here: their variant and namespace."""

    variant: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, variant: Mapping[str, object], namespace: str) -> Naming:
        """Checked and canonical. Raises TypeError or ValueError that names the parameter."""
        canonical = clip_of("-", variant, namespace).variant
        return cls(canonical, namespace, dict(zip(LABELS, labels_in(canonical), strict=True)))

    def key(self, row: Row) -> str:
        """The key of a row here."""
        return clip_key(row.digest, self.variant, self.namespace)


class Target:
    """The table on an alias: what it has, what it has room for, and how a row gets in."""

    def __init__(self, alias: str, naming: Naming, limits: Limits, clock: Clock) -> None:
        self.alias = alias
        self.now = clock()
        self._naming = naming
        self._entries: QuerySet[AudioCacheEntry] = QuerySet(AudioCacheEntry, using=alias)
        self._space = Space(limits, *self._totals())

    def _totals(self) -> tuple[int, int]:
        sums = QuerySet(Total, using=self.alias).aggregate(Sum("entries"), Sum("bytes"))
        return sums["entries__sum"] or 0, sums["bytes__sum"] or 0

    def missing(self, rows: Iterable[Row]) -> list[Row]:
        """Those whose key the table has not, each key once."""
        by_key = {self._naming.key(row): row for row in rows}
        there = self._entries.filter(key__in=by_key).values_list("key", flat=True)
        for key in list(there):
            del by_key[key]
        return list(by_key.values())

    def fitting(self, rows: Iterable[Row]) -> list[Row]:
        """Those there is room for; the room is theirs then."""
        return [row for row in rows if self._space.takes(row.size)]

    def insert(self, rows: Sequence[Row], audio: Mapping[int, bytes]) -> int:
        """Insert rows; how many: an entry that came in between stays. One statement."""
        connection = connections[self.alias]
        entries = [self._entry(row, audio[row.cursor.rowid]) for row in rows]
        values = [
            field.get_db_prep_save(getattr(entry, field.attname), connection)
            for entry in entries
            for field in _FIELDS
        ]
        with connection.cursor() as cursor:
            # bulk_create with ignore_conflicts does not say how many it ignored.
            cursor.execute(_INSERT.format(", ".join([_MARKS] * len(entries))), values)
            return int(cursor.rowcount)

    def _entry(self, row: Row, audio: bytes) -> AudioCacheEntry:
        key = self._naming.key(row)
        return AudioCacheEntry(
            key=key,
            namespace=self._naming.namespace,
            text_digest=row.digest,
            variant=self._naming.variant,
            **self._naming.labels,
            content_type=sniff(audio),
            size=len(audio),
            checksum=checksum(audio),
            source_key=key,
            created=row.created,
            expires=row.expires,
            keep_until=row.expires,
            # One of the future would outlive all others in the order of eviction.
            used=min(row.used, self.now),
            hits=row.hits,
            audio=audio,
        )
