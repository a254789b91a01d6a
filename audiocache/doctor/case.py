"""What the examinations look at: the configuration, the database, Redis, the present."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.db import connections

from audiocache import database
from audiocache.clock import Clock, now_ms
from audiocache.conf import DISTRIBUTED, PERSISTENT, CacheConfig
from audiocache.database import SQLITE, in_memory, is_own_file
from audiocache.doctor.sight import Sight, sight_of
from audiocache.tiers.clip_files import ClipFiles
from audiocache.tiers.redis_connection import RedisConnection, connect


@dataclass(frozen=True)
class Case:
    """One installation."""

    config: CacheConfig
    clock: Clock = now_ms
    deep: bool = False
    """Every entry may be looked at."""

    @property
    def now(self) -> int:
        """In ms, by this host's clock."""
        return self.clock()

    @property
    def has_database(self) -> bool:
        """Is there a database tier, and is its file there? One of ours is made at first use."""
        if PERSISTENT not in self.config.tier_names:
            return False
        return self.path is None or self.path.exists() or not is_own_file(self.alias)

    @property
    def has_redis(self) -> bool:
        """Is there a tier in Redis?"""
        return DISTRIBUTED in self.config.tier_names

    @cached_property
    def alias(self) -> str:
        """Of the cache's database."""
        return database.alias_of(self.config)

    @cached_property
    def path(self) -> Path | None:
        """SQLite's file; None for another database."""
        given = connections[self.alias].settings_dict
        name = str(given["NAME"])
        return None if given["ENGINE"] != SQLITE or in_memory(name) else Path(name)

    @cached_property
    def sight(self) -> Sight:
        """The database, open for looking. Raises what its driver raises."""
        return sight_of(self.alias, self.path)

    @cached_property
    def files(self) -> ClipFiles:
        """Of clips that do not lie in their rows."""
        return ClipFiles(self.alias, self.config.storage or "")

    @cached_property
    def redis(self) -> RedisConnection:
        """A connection of its own. Raises ImproperlyConfigured."""
        return RedisConnection(connect(self.config), 1)

    def close(self) -> None:
        """Close what was opened."""
        if "sight" in vars(self):
            self.sight.close()
        if "redis" in vars(self):
            self.redis.close()
