"""What people ask of the table: by key, by text, by voice. No audio is read, nothing counted.

Each question goes through an index, so that its cost does not grow with the table.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, cast

from django.db import connections
from django.db.models import BigIntegerField, Count, Q, Sum, Value

from audiocache import database, own_file
from audiocache.keys import normalize_text, text_digest
from audiocache.models import AudioCacheEntry, EntryQuerySet, Total

SHORTEST_PREFIX: Final = 8
"""Hex digits of a key that are enough to look it up."""
NEIGHBOURS: Final = 20
KINDS: Final = 100
MOST_EXPIRING: Final = 10_000
"""Rows that are looked at to say what expires."""

_PREFIX: Final = re.compile(r"[0-9a-f]{8,64}")

# From each kind the index leads to the next: as many steps as there are kinds, not rows. Asked
# column by column, for SQLite uses only the first column of a comparison of rows.
_SELECT_KINDS: Final = """
    WITH RECURSIVE kind (id, number) AS (
        SELECT (SELECT id FROM audiocache_entry ORDER BY provider, model, voice LIMIT 1), 1
        UNION ALL
        SELECT coalesce(
            (SELECT id FROM audiocache_entry WHERE provider = here.provider
                AND model = here.model AND voice > here.voice ORDER BY voice LIMIT 1),
            (SELECT id FROM audiocache_entry WHERE provider = here.provider
                AND model > here.model ORDER BY model, voice LIMIT 1),
            (SELECT id FROM audiocache_entry WHERE provider > here.provider
                ORDER BY provider, model, voice LIMIT 1)
        ), kind.number + 1
        FROM kind JOIN audiocache_entry here ON here.id = kind.id
        WHERE kind.number < %s
    )
    SELECT entry.provider, entry.model, entry.voice
    FROM kind JOIN audiocache_entry entry ON entry.id = kind.id ORDER BY kind.number
"""


class Kind(NamedTuple):
    """A provider, model and voice that some entry has."""

    provider: str
    model: str
    voice: str


class Expiring(NamedTuple):
    """What is fresh now and will not be then."""

    entries: int
    bytes: int
    more: bool
    """There are more than MOST_EXPIRING; these are not in the sums."""


def ready() -> str:
    """The alias of the process's table, which exists from now on."""
    alias = database.default_alias()
    own_file.prepare(connections[alias])
    return alias


def entries() -> EntryQuerySet:
    """All rows, without their sound."""
    ready()
    return cast("EntryQuerySet", AudioCacheEntry.objects.get_queryset()).without_audio()


def in_ms(value: int) -> Value:
    """Where the server puts values in, a bare number is one of four bytes, and is cut to them."""
    return Value(value, output_field=BigIntegerField())


def is_key_prefix(word: str) -> bool:
    """Can this be a key, or the first SHORTEST_PREFIX or more digits of one?"""
    return _PREFIX.fullmatch(word.strip().lower()) is not None


def by_key(prefix: str) -> Q:
    """Entries whose key begins so. A range, for LIKE does not use the index everywhere."""
    low = prefix.strip().lower()
    return Q(key=low) if len(low) == 64 else Q(key__gte=low, key__lt=f"{low}g")


def digests_of(text: str) -> list[str]:
    """The digests under which entries of a text are found. Raises ValueError.

    Two where normalisation changes the text: an earlier cache kept it as it was.
    """
    normal = normalize_text(text)
    return [text_digest(normal)] if normal == text else [text_digest(normal), text_digest(text)]


def same_text(digest: str, limit: int = NEIGHBOURS) -> list[AudioCacheEntry]:
    """Entries of one text in whatever variant, the newest first."""
    return list(entries().filter(text_digest=digest).order_by("-id")[:limit])


def totals() -> tuple[int, int]:
    """Entries and bytes, from where they are maintained."""
    sums = Total.objects.using(ready()).aggregate(entries=Sum("entries"), bytes=Sum("bytes"))
    return sums["entries"] or 0, sums["bytes"] or 0


def expiring(since: int, until: int) -> Expiring:
    """The entries whose life ends after an instant (ms), and not after another."""
    rows = entries().filter(expires__gt=since, expires__lte=until).order_by("expires")
    sums = rows.values("size")[:MOST_EXPIRING].aggregate(number=Count("size"), bytes=Sum("size"))
    return Expiring(sums["number"], sums["bytes"] or 0, sums["number"] == MOST_EXPIRING)


def kinds(limit: int = KINDS) -> list[Kind]:
    """The kinds there are, in order, at most `limit`."""
    with connections[ready()].cursor() as cursor:
        cursor.execute(_SELECT_KINDS, [limit])
        return [Kind(*row) for row in cursor.fetchall()]
