"""The whole cache in memory and in the caller's thread: no query, file, socket or thread."""

from __future__ import annotations

from typing import Final

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import MIB, CacheConfig
from audiocache.entries import AudioEntry
from audiocache.lru import ByteLRU
from audiocache.workers import Inline

MAX_ENTRIES: Final = 10_000
MAX_MB: Final = 256
"""More than the memory tier's default: here memory stands for all the tiers."""


class MemoryOnlyCache(MultiTierAudioCache):
    """Starts empty, with the settings of the site but for backend and limits."""

    def __init__(self) -> None:
        from audiocache.tiers.memory import MemoryTier

        # A store of its own: the site's may be that of an alias in CACHES, and hold something.
        self._store: ByteLRU[AudioEntry] = ByteLRU(MAX_ENTRIES, MAX_MB * MIB)
        super().__init__(_config(), tiers=[MemoryTier(self._store)], executor=Inline())

    def reload(self) -> None:
        """Take the settings as they are now; entries stay, as they would in a database."""
        self.config = _config()

    def entries(self) -> list[AudioEntry]:
        """The fresh entries, the oldest first."""
        held = map(self._store.peek, self._store.keys())
        return sorted(filter(None, held), key=lambda entry: entry.created)


def _config() -> CacheConfig:
    limits = {"memory_max_size": MAX_ENTRIES, "memory_max_mb": MAX_MB}
    return CacheConfig.load(backend="memory", **limits)
