"""CacheConfig: every setting of the cache, with its environment name, default and unit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from audiocache.clock import HOUR_MS
from audiocache.configuring import Config, choice, flag, number, optional, setting, text, whole

MEMORY: Final = "memory"
PERSISTENT: Final = "persistent"
DISTRIBUTED: Final = "distributed"
TIER_NAMES: Final = (MEMORY, PERSISTENT, DISTRIBUTED)

MIB: Final = 1024 * 1024
KIB: Final = 1024

_TIERS_OF: Final = {
    "memory": {MEMORY},
    "sqlite": {MEMORY, PERSISTENT},
    "database": {MEMORY, PERSISTENT},
    "redis": {MEMORY, DISTRIBUTED},
    "multi-tier": set(TIER_NAMES),
}


def _tiers(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str | list | tuple):
        raise ValueError(f"must be a list of names, not {value!r}")
    names = value.split(",") if isinstance(value, str) else value
    order = tuple(str(name).strip() for name in names)
    if sorted(order) != sorted(TIER_NAMES):
        raise ValueError(f"must name {', '.join(TIER_NAMES)}, each once, not {value!r}")
    return order


def _path(value: Any) -> str:
    if not isinstance(value, str | Path):
        raise ValueError(f"must be a path, not {value!r}")
    path = str(value)
    text(path)
    if ":memory:" in path or "mode=memory" in path:
        raise ValueError("must be a folder: a database in memory is for one thread alone")
    return path


@dataclass(frozen=True)
class CacheConfig(Config):
    """A frozen value: what is given, and defaults. `load()` reads settings and environment.

    Raises ImproperlyConfigured that names every wrong value.
    """

    prefix: ClassVar[str] = "CACHE_"
    setting_name: ClassVar[str] = "AUDIOCACHE"
    rivals: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"redis_url", "redis_host", "redis_alias"}),
        frozenset({"persistent_path", "persistent_database"}),
    )

    backend: str = setting("multi-tier", choice(*_TIERS_OF))
    tiers: tuple[str, ...] = setting(TIER_NAMES, _tiers)
    """Order in which the tiers are asked."""
    memory_max_size: int = setting(100, whole(0))
    """Entries in this process."""
    memory_max_mb: float = setting(50, number(0))
    """MiB of audio in this process."""
    memory_alias: str = setting("audiocache", text)
    """Alias in CACHES of a MemoryCache whose store the memory tier uses, where there is one."""
    persistent_path: str | None = setting(None, optional(_path))
    """Folder of the cache's own SQLite file."""
    persistent_database: str | None = setting(None, optional(text))
    """Alias in DATABASES."""
    persistent_max_size: int = setting(1000, whole(0))
    """Rows; 0 is no limit."""
    persistent_max_mb: float = setting(500, number(0))
    """MiB of audio; 0 is no limit."""
    inline_max_kb: float = setting(0, number(0))
    """KiB of a clip that lies in its row; larger ones lie in a storage. 0: all lie in rows."""
    storage: str | None = setting(None, optional(text))
    """Alias in STORAGES; None: a folder beside the SQLite file."""
    ttl_hours: float = setting(24, number(0))
    """Life of an entry; 0 keeps it for ever."""
    cleanup_interval_minutes: float = setting(60, number(1))
    """Celery beat interval."""
    redis_url: str | None = setting(None, optional(text), secret=True)
    redis_host: str | None = setting(None, optional(text))
    redis_port: int = setting(6379, whole(1, 65535))
    redis_db: int = setting(0, whole(0))
    redis_password: str | None = setting(None, optional(text), secret=True)
    redis_alias: str | None = setting(None, optional(text))
    """Alias in CACHES of a django-redis cache whose connection is used."""
    redis_prefix: str = setting("audiocache", text)
    """Begins every key of ours in Redis; differs between sites that share a server."""
    redis_max_connections: int = setting(10, whole(1))
    redis_max_entry_kb: float = setting(1024, number(0))
    """KiB; larger entries skip Redis."""
    enable_warming: bool = setting(True, flag)
    enable_statistics: bool = setting(True, flag)
    stale_if_error_hours: float = setting(0, number(0))
    """How long an expired entry is kept to be served when its origin fails."""
    max_blind_seconds: float = setting(60, number(0))
    """How long memory serves while no tier can say what was removed elsewhere."""
    store_text: bool = setting(True, flag)
    """False: only the text's digest is stored anywhere."""

    metrics_token: str | None = setting(None, optional(text), secret=True)
    """Whoever bears it may read `/metrics`."""
    metrics_access: str | None = setting(None, optional(text))
    """Dotted path of a callable: may this request read `/metrics`?"""

    def conflicts(self) -> Iterator[str]:
        """Values that exclude each other."""
        redis = [n for n in ("redis_url", "redis_host", "redis_alias") if getattr(self, n)]
        if len(redis) > 1:
            yield f"{' and '.join(map(self.env_name, redis))}: only one of them may be set"
        if self.persistent_path and self.persistent_database:
            yield "CACHE_PERSISTENT_PATH and CACHE_PERSISTENT_DATABASE: only one may be set"

    @property
    def has_redis(self) -> bool:
        """Is a Redis configured for the distributed tier?"""
        return bool(self.redis_url or self.redis_host or self.redis_alias)

    @property
    def spans_ms(self) -> tuple[int, int]:
        """An entry's life (0: without end), and for how long it is kept after that."""
        return math.ceil(self.ttl_hours * HOUR_MS), math.ceil(self.stale_if_error_hours * HOUR_MS)

    @property
    def tier_names(self) -> tuple[str, ...]:
        """The tiers in use, in their order."""
        wanted = _TIERS_OF[self.backend] - (set() if self.has_redis else {DISTRIBUTED})
        return tuple(name for name in self.tiers if name in wanted)
