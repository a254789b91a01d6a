"""The statements that both databases share."""

from __future__ import annotations

from functools import cache

from audiocache.removals.values import SKEW_MS
from audiocache.rows import READ, SCHEMA_VERSION, WRITTEN

_REPLACEABLE = (
    "(audiocache_entry.created <= excluded.created"
    # Its time is over; or its clock was wrong, and would keep all others from being stored.
    " OR audiocache_entry.expires <= excluded.created"
    f" OR audiocache_entry.created > excluded.created + {SKEW_MS})"
)
"""By a put: what was not made later."""


class Dialect:
    """SQL as text, for the driver itself. Lists of values come as so many placeholders."""

    mark = "%s"
    """The driver's placeholder."""
    greatest = "MAX"
    least = "MIN"
    now = "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT)"
    """The present in ms, by the clock of the database."""
    lock_rows = ""
    """Behind a SELECT of rows about to be deleted because somebody says so: waits for them."""
    lock_free_rows = ""
    """Behind a SELECT of any rows about to be deleted: passes over those that others hold."""
    intact = ""
    """What else holds for a row whose instants are instants."""
    own_slot = ""
    """Takes the row of the totals that this connection writes, before `one_writer` is waited for:
    those who wait for that may hold theirs.
    """
    one_writer = ""
    """Has those who write the removal log come one after the other, until they commit."""
    no_writer = ""
    """Waits until nobody is about to write the removal log, and keeps it so until the commit."""

    select_entries = f"SELECT {', '.join(READ)} FROM audiocache_entry WHERE key IN ({{keys}})"
    select_fresh = (
        "SELECT key FROM audiocache_entry WHERE expires > {mark} AND key IN ({keys})"
        f" AND schema_version <= {SCHEMA_VERSION}"
        " AND (audio IS NOT NULL OR storage_name <> ''){intact}"
    )
    select_totals = (
        "SELECT CAST(SUM(entries) AS BIGINT), CAST(SUM(bytes) AS BIGINT) FROM audiocache_total"
    )
    select_counts = "SELECT name, value FROM audiocache_count WHERE resolution = 'a' AND period = 0"

    def _marks(self, number: int) -> str:
        return ", ".join([self.mark] * number)

    @property
    def select_least_used(self) -> str:
        """Candidates for eviction, the least recently used first; parameter: how many."""
        return (
            "SELECT id, CAST(size AS BIGINT) FROM audiocache_entry WHERE NOT pinned"
            f" ORDER BY used, id LIMIT {self.mark}"
        )

    # The driver finds what it has prepared by the text: the same object is hashed once.
    @cache  # noqa: B019 - there are two dialects, and they stay
    def entries(self, number: int) -> str:
        """Look up so many keys."""
        return self.select_entries.format(keys=self._marks(number))

    @cache  # noqa: B019
    def fresh(self, number: int) -> str:
        """Which of so many keys are fresh at an instant."""
        keys = self._marks(number)
        return self.select_fresh.format(mark=self.mark, keys=keys, intact=self.intact)

    @cache  # noqa: B019
    def upsert(self, number: int, *, only_missing: bool) -> str:
        """Insert or replace so many rows; the keys taken.

        A row of a newer schema is left alone, and so is one that was made later, by a put that
        overtook this one: the tiers and hosts agree on the latest. A back-fill (one more
        parameter: now) only replaces what has expired.
        """
        row = f"({self._marks(len(WRITTEN))})"
        changes = ", ".join(map(self._change, WRITTEN))
        return (
            f"INSERT INTO audiocache_entry ({', '.join(WRITTEN)}, hits, pinned, revision,"
            f" audio_sha256) VALUES "
            + ", ".join([f"{row[:-1]}, 0, {self.false}, 1, '')"] * number)
            + f" ON CONFLICT (key) DO UPDATE SET {changes},"
            " revision = audiocache_entry.revision + 1, audio_sha256 = ''"
            " WHERE audiocache_entry.schema_version <= excluded.schema_version AND "
            + (f"audiocache_entry.expires <= {self.mark}" if only_missing else _REPLACEABLE)
            + " RETURNING key"
        )

    false = "FALSE"

    def _change(self, name: str) -> str:
        """What a replacement does to a column: an entry that is pinned has no end."""
        if name in {"expires", "keep_until"}:
            kept = f"CASE WHEN audiocache_entry.pinned THEN audiocache_entry.{name}"
            return f"{name} = {kept} ELSE excluded.{name} END"
        return f"{name} = excluded.{name}"

    def add_tags(self, number: int) -> str:
        """Insert so many (tag, key) pairs."""
        pairs = ", ".join([f"({self._marks(2)})"] * number)
        return f"INSERT INTO audiocache_tag (tag, key) VALUES {pairs} ON CONFLICT DO NOTHING"

    def delete_keys(self, number: int, *, older: bool = False, free: bool = False) -> str:
        """Delete so many keys; those that were there.

        In the order of their keys, as all who lock several rows: none can deadlock. `older`
        (one more parameter: an instant): only what was stored before; `free`: only rows that
        nobody holds.
        """
        where = f"key IN ({self._marks(number)}){self._older(older)} ORDER BY key"
        return self._delete(where + self._lock(free))

    def delete_ids(self, number: int) -> str:
        """Delete so many rows."""
        return self._delete(f"id IN ({self._marks(number)}){self.lock_free_rows}")

    @property
    def delete_kept_until(self) -> str:
        """Delete rows past an instant; parameters: the instant, how many."""
        return self._delete(f"keep_until <= {self.mark} LIMIT {self.mark}{self.lock_free_rows}")

    def delete_some(self, *, older: bool = False, free: bool = False) -> str:
        """Delete any rows up to a schema; parameters: the version, how many. See `delete_keys`."""
        where = f"schema_version <= {self.mark}{self._older(older)} LIMIT {self.mark}"
        return self._delete(where + self._lock(free))

    def delete_group(self, field: str, *, older: bool = False, free: bool = False) -> str:
        """Delete the entries of a group; parameters: its value (and namespace), how many.

        See `delete_keys`.
        """
        where = {
            "text_digest": f"text_digest = {self.mark} AND namespace = {self.mark}",
            "source_key": f"source_key = {self.mark}",
            "tags": f"key IN (SELECT key FROM audiocache_tag WHERE tag = {self.mark})",
        }[field]
        return self._delete(f"{where}{self._older(older)} LIMIT {self.mark}{self._lock(free)}")

    def _older(self, older: bool) -> str:
        return f" AND created < {self.mark}" if older else ""

    def _lock(self, free: bool) -> str:
        return self.lock_free_rows if free else self.lock_rows

    def _delete(self, where: str) -> str:
        """Rows are chosen in a sub-select, which can be limited, and can lock what it finds.

        Where it is limited, without an order: by id, the database would look for the few
        expired among all rows. The file's name comes last: see `sql.clips`.
        """
        return (
            "DELETE FROM audiocache_entry WHERE id IN (SELECT id FROM audiocache_entry"
            f" WHERE {where}) RETURNING key, keep_until, source_key, storage_name"
        )

    @property
    def touch(self) -> str:
        """Add hits and move the last use of a key forward."""
        return (
            f"UPDATE audiocache_entry SET hits = hits + {self.mark},"
            f" used = {self.greatest}(used, {self.mark}) WHERE key = {self.mark}"
        )

    def add_counts(self, number: int) -> str:
        """Add to so many counters: name, resolution, period, value."""
        rows = ", ".join([f"({self._marks(4)})"] * number)
        return (
            f"INSERT INTO audiocache_count (name, resolution, period, value) VALUES {rows}"
            " ON CONFLICT (resolution, period, name) DO UPDATE"
            " SET value = audiocache_count.value + excluded.value"
        )
