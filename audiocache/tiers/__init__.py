"""The tiers by name, made from a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from audiocache.clock import Clock
    from audiocache.conf import CacheConfig
    from audiocache.tiers.base import Tier

_TIERS: Final = {
    "memory": ("audiocache.tiers.memory", "MemoryTier"),
    "persistent": ("audiocache.tiers.persistent", "PersistentTier"),
    "distributed": ("audiocache.tiers.distributed", "DistributedTier"),
}


def build_tiers(config: CacheConfig, clock: Clock) -> Iterator[Tier]:
    """The tiers this configuration asks for, in their order. Connects to nothing."""
    for name in config.tier_names:
        module, tier_class = _TIERS[name]
        # Imported when used: Redis' client is an extra, the models need Django to be set up.
        yield getattr(import_module(module), tier_class).from_config(config, clock)
