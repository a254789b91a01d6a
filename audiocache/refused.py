"""Refused answers in the cache's own database: remembered by source key, some with their bytes.

Statements go to the driver itself: Django's log of queries would hold texts and audio.
Every method raises TierError alone.
"""

# ruff: noqa: S608 - fixed words and names of columns are put together

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Self

from audiocache import database
from audiocache.clock import DAY_MS
from audiocache.conf import PERSISTENT, CacheConfig
from audiocache.entries import Clip, Recording
from audiocache.rows import checksum, labels_in, tags_in
from audiocache.tiers.sql import dialect_for

MAX_ROWS: Final = 10_000
"""Refusals remembered; the oldest are forgotten first."""
KEPT_MS: Final = 7 * DAY_MS
"""A refusal without its bytes is forgotten so long after its time."""
BATCH: Final = 50
"""Rows that one write takes away at most."""


class Refusal(NamedTuple):
    """What is remembered of a source; instants in ms."""

    since: int
    """When it was refused first."""
    until: int
    """It is not asked for again before."""
    times: int
    reason: str
    provider: str


class RefusedRow(NamedTuple):
    """The columns of a row, in the order of its statement."""

    source_key: str
    key: str
    namespace: str
    text_digest: str
    text: str | None
    variant: str
    provider: str
    model: str
    voice: str
    language: str
    tags: str | None
    """In JSON; None: it has none."""
    reason: str
    times: int
    since: int
    refused: int
    until: int
    content_type: str
    size: int
    duration_ms: int | None
    cost: int | None
    billed_units: int | None
    timings: str
    checksum: int
    kept: bool
    audio: bytes | None


def row_of(
    clip: Clip, recording: Recording, refusal: Refusal, now: int, *, keep: bool, store_text: bool
) -> RefusedRow:
    """A clip, what was refused of it `now` and why; its bytes only to `keep` them."""
    provider, model, voice, language = labels_in(clip.variant)
    return RefusedRow(
        source_key=clip.source_key,
        key=clip.key,
        namespace=clip.namespace,
        text_digest=clip.text_digest,
        text=clip.text if store_text else None,
        variant=clip.stored_variant(store_text=store_text),
        provider=provider,
        model=model,
        voice=voice,
        language=language,
        tags=json.dumps(recording.tags) if recording.tags else None,
        reason=refusal.reason,
        times=refusal.times,
        since=refusal.since,
        refused=now,
        until=refusal.until,
        content_type=recording.content_type or "",
        size=len(recording.audio),
        duration_ms=recording.duration_ms,
        cost=recording.cost,
        billed_units=recording.billed_units,
        timings=recording.timings,
        checksum=checksum(recording.audio),
        kept=keep,
        audio=recording.audio if keep else None,
    )


class RefusedTable:
    """The table on an alias."""

    def __init__(self, alias: str) -> None:
        # It knows the tables' classes, which Django may not have loaded yet.
        from audiocache.tiers.sql.connection import OwnConnection

        self._database = OwnConnection(alias)
        self._mark = dialect_for(self._database.wrapper.vendor).mark

    @classmethod
    def of(cls, config: CacheConfig) -> Self | None:
        """Where the cache of this configuration has its table; None: it uses no database."""
        return cls(database.alias_of(config)) if PERSISTENT in config.tier_names else None

    def find(self, source_key: str) -> Refusal | None:
        """What is remembered of a source."""
        rows = self._database.query(self._sql(_FIND), [source_key])
        return Refusal._make(rows[0]) if rows else None

    def save(self, row: RefusedRow) -> None:
        """Remember a refusal in place of the source's former one, whose tags it has, too."""
        with self._database.transaction():
            self._database.run(self._sql(_SAVE), row)
            if row.tags:
                self.add_tags(row.source_key, tags_in(row.tags))

    def add_tags(self, source_key: str, tags: Collection[str]) -> None:
        """Have it found by these, too, if it is there."""
        held = self._database.query(self._sql(_TAGS), [source_key])
        if all(set(tags).issubset(_tags_of(row)) for row in held):
            return
        with self._database.transaction():
            for row in self._database.query(self._sql(_HOLD), [source_key]):
                both = json.dumps(sorted({*_tags_of(row), *tags}))
                self._database.run(self._sql(_TAG), [both, source_key])

    def forget(self, source_keys: Sequence[str]) -> None:
        """Forget sources, and give up their bytes."""
        for source_key in source_keys:
            self._database.run(self._sql(_FORGET), [source_key])

    def trim(self, max_clips: int, max_bytes: int, now: int) -> None:
        """Give up bytes over the limits, the oldest first, and forget what is long over."""
        over, left = [], max_bytes
        rows = self._database.query(self._sql(_KEPT), [max_clips + BATCH])
        for place, (row_id, size) in enumerate(rows):
            left -= size
            if place >= max_clips or left < 0:
                over.append(row_id)
        for row_id in over:
            self._database.run(self._sql(_EMPTY), [row_id])
        self._database.run(self._sql(_FORGET_OLD), [now - KEPT_MS, BATCH])
        self._database.run(self._sql(_FORGET_OVER), [BATCH, MAX_ROWS])

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._mark)


def _tags_of(row: Sequence[str | None]) -> tuple[str, ...]:
    return tags_in(row[0]) if row[0] else ()


_FIND: Final = f"SELECT {', '.join(Refusal._fields)} FROM audiocache_refused WHERE source_key = ?"
_SAVE: Final = (
    f"INSERT INTO audiocache_refused ({', '.join(RefusedRow._fields)})"
    f" VALUES ({', '.join('?' * len(RefusedRow._fields))}) ON CONFLICT (source_key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in RefusedRow._fields[1:] if name != "tags")
)
_TAGS: Final = "SELECT tags FROM audiocache_refused WHERE source_key = ?"
_HOLD: Final = "UPDATE audiocache_refused SET times = times WHERE source_key = ? RETURNING tags"
"""Whoever else adds one waits."""
_TAG: Final = "UPDATE audiocache_refused SET tags = ? WHERE source_key = ?"
_FORGET: Final = "DELETE FROM audiocache_refused WHERE source_key = ?"
_KEPT: Final = (
    "SELECT id, size FROM audiocache_refused WHERE kept ORDER BY refused DESC, id DESC LIMIT ?"
)
_EMPTY: Final = "UPDATE audiocache_refused SET kept = FALSE, audio = NULL WHERE id = ?"
_FORGET_OLD: Final = (
    "DELETE FROM audiocache_refused WHERE id IN (SELECT id FROM audiocache_refused"
    " WHERE until < ? AND NOT kept ORDER BY until LIMIT ?)"
)
_FORGET_OVER: Final = (
    "DELETE FROM audiocache_refused WHERE id IN (SELECT id FROM audiocache_refused"
    " ORDER BY refused DESC, id DESC LIMIT ? OFFSET ?)"
)
