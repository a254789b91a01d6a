"""The memory tier: entries in a ByteLRU of this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Self

from django.conf import settings
from django.core.cache import caches

from audiocache.backends import MemoryCache
from audiocache.clock import Clock, now_ms
from audiocache.conf import MEMORY, MIB, CacheConfig
from audiocache.entries import AudioEntry
from audiocache.lru import ByteLRU
from audiocache.removals import KEY, Removal
from audiocache.removals.values import Groups
from audiocache.tiers.base import Tier


class MemoryTier(Tier):
    """Answers inline and never fails. A size is the bytes of audio."""

    name = MEMORY
    inline = True

    def __init__(self, store: ByteLRU[Any], clock: Clock = now_ms) -> None:
        super().__init__()
        self.store = store
        self._clock = clock
        # The store's own closure: a method around it would cost as much as the look-up.
        self.get: Callable[[str], AudioEntry | None] = store.get  # type: ignore[assignment]
        store.listeners.add(self._on_evict)

    @classmethod
    def from_config(cls, config: CacheConfig, clock: Clock = now_ms) -> Self:
        """On the store of a CACHES alias where one is configured, else on one of its own."""
        if (shared := _shared_store(config.memory_alias)) is not None:
            return cls(shared, clock)
        limit = int(config.memory_max_mb * MIB)
        return cls(ByteLRU(config.memory_max_size, limit, clock=clock), clock)

    def get_many(self, keys: Collection[str]) -> dict[str, AudioEntry]:
        """The entries that are there, by key."""
        return {key: entry for key in keys if (entry := self.store.get(key)) is not None}

    def peek_many(self, keys: Collection[str]) -> Sequence[AudioEntry]:
        """The entries that are there, as they are."""
        held = map(self.store.peek, keys)
        return [entry for entry in held if isinstance(entry, AudioEntry)]

    def put_many(self, entries: Sequence[AudioEntry], *, only_missing: bool = False) -> set[str]:
        """Hold entries; one over the limit is left out and counted."""
        if len(entries) == 1:  # a set and a dict less: as much as it takes to hold one
            [entry] = entries
            return {entry.key} if self._put(entry, only_missing) else set()
        latest = {entry.key: entry for entry in entries}
        return {key for key, entry in latest.items() if self._put(entry, only_missing)}

    def remove_many(self, keys: Collection[str]) -> int:
        """Remove entries; how many were there."""
        return sum(self.store.pop(key) is not None for key in keys)

    def remove_group(self, field: str, value: str, namespace: str = "") -> int:
        """Remove the entries of a text in a namespace, of a source or of a tag."""
        self.store.sweep()  # what has reached its end does not count
        return self.store.discard_where(
            lambda _, entry: (
                isinstance(entry, AudioEntry) and Removal(field, value, namespace).concerns(entry)
            )
        )

    def clear(self) -> None:
        """Remove all entries; what else lives in a shared store stays."""
        self.store.discard_where(lambda _, entry: isinstance(entry, AudioEntry))

    def apply(self, removals: Sequence[Removal]) -> None:
        """Remove what others removed."""
        wider = []
        for removal in removals:
            if removal.field != KEY:
                wider.append(removal)
            elif (entry := self.store.peek(removal.value)) and removal.concerns(entry):
                self.store.pop(removal.value)
        if wider:
            groups = Groups(wider)
            self.store.discard_where(
                lambda _, entry: isinstance(entry, AudioEntry) and groups.concern(entry)
            )

    def cleanup(self) -> int:
        """Remove what is past its time."""
        return self.store.sweep()

    def stats(self) -> dict[str, Any]:
        """Entries, bytes and limits of the store."""
        used, limit = self.store.total_bytes, self.store.max_bytes
        return self.unknown_stats() | {
            "entry_count": len(self.store),
            "total_size_bytes": used,
            "memory_usage_percent": round(100 * used / limit, 1) if limit else 0.0,
        }

    def unknown_stats(self) -> dict[str, Any]:
        """Type and limits."""
        return {
            "backend_type": "memory",
            "max_entries": self.store.max_entries,
            "max_bytes": self.store.max_bytes,
        }

    def check(self) -> None:
        """Memory always works."""

    def _put(self, entry: AudioEntry, only_missing: bool) -> bool:
        if only_missing:
            held = self.store.peek(entry.key)
            if held is not None and held.expires > self._clock():
                return False
        slot = entry.key, entry.found_in(MEMORY), len(entry.audio), entry.keep_until
        if entry.spare:
            return self.store.add(*slot, spare=True)
        taken = self.store.put(*slot)
        if not taken and entry.keep_until > self._clock():
            self.counts["oversize"] += 1
        return taken

    def _on_evict(self, pairs: list[tuple[str, Any]], reason: str) -> None:
        """Of a shared store, what is no entry is somebody else's."""
        self.evicted([key for key, value in pairs if isinstance(value, AudioEntry)], reason)


def _shared_store(alias: str) -> ByteLRU[Any] | None:
    if alias not in settings.CACHES:
        return None
    cache = caches[alias]
    return cache.store if isinstance(cache, MemoryCache) else None
