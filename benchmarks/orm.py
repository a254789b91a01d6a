"""Our table by the plain ORM, as most would write it."""

from __future__ import annotations

from django.db.models import QuerySet

from audiocache.clock import now_ms
from audiocache.models import AudioCacheEntry
from audiocache.rows import checksum
from benchmarks.clips import Clips


class OrmRows:
    """The rows of an alias."""

    def __init__(self, clips: Clips, alias: str) -> None:
        self._rows: QuerySet[AudioCacheEntry] = QuerySet(AudioCacheEntry, using=alias)
        self._entries = clips.entries

    def read(self, key: str) -> bytes | None:
        """Look up a fresh one."""
        found = self._rows.filter(key=key, expires__gt=now_ms()).first()
        return None if found is None or found.audio is None else bytes(found.audio)

    def put(self, key: str) -> None:
        """Look, and insert or update."""
        entry = self._entries[key]
        self._rows.update_or_create(
            key=key,
            defaults={
                "audio": entry.audio, "size": entry.size, "expires": entry.expires,
                "keep_until": entry.keep_until, "created": entry.created, "used": entry.created,
                "checksum": checksum(entry.audio), "content_type": entry.content_type,
                "text_digest": entry.text_digest, "source_key": entry.source_key,
                "schema_version": 1, "hits": 0, "revision": 1,
            },
        )  # fmt: skip
