"""Django's cache contract over the store in memory, for any value.

    CACHES = {
        "default": {
            "BACKEND": "audiocache.backends.MemoryCache",
            "LOCATION": "clips",
            "OPTIONS": {"MAX_ENTRIES": 1000, "MAX_BYTES": 50 * 1024 * 1024},
        }
    }

Like Django's LocMemCache, but bounded by bytes too, read without a lock, and without pickling
what cannot change. A cache alias is an object per thread; its store is shared in the process
by all aliases of the same LOCATION and limits. `clear` empties all stores of the LOCATION.
"""

from __future__ import annotations

import math
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import ImproperlyConfigured

from audiocache.clock import now_ms
from audiocache.conf import MIB
from audiocache.entries import NEVER
from audiocache.freezing import freeze, thaw
from audiocache.lru import ByteLRU

DEFAULT_MAX_BYTES: Final = 50 * MIB

ENTRY_OVERHEAD: Final = 512
"""Bytes an entry costs beside its value: key, slot and its places in the dict; rounded up."""

OPTIONS: Final = frozenset({"MAX_ENTRIES", "MAX_BYTES", "MAX_MB", "CULL_FREQUENCY"})

_stores: dict[tuple[str, int, int], ByteLRU[Any]] = {}


class MemoryCache(BaseCache):
    """A Django cache in this process's memory. Memory never blocks: async answers inline.

    Options: MAX_ENTRIES (300), MAX_BYTES or MAX_MB (50 MiB), CULL_FREQUENCY (3: a third leaves
    when the count is reached; 0: all). The byte limit lets no more leave than is needed.
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._location = name
        self.store = _store(name, self._max_entries, _max_bytes(params.get("OPTIONS") or {}))

    def add(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        key = self.make_and_validate_key(key, version=version)
        held, size = _pack(value)
        expires = self._expires(timeout)
        if expires <= now_ms():
            return key not in self.store
        self._cull(key)
        return self.store.add(key, held, size, expires)

    def get(self, key: Any, default: Any | None = None, version: int | None = None) -> Any:
        held = self.store.get(self.make_and_validate_key(key, version=version))
        return default if held is None else thaw(held)

    def set(
        self,
        key: Any,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        self._set(key, value, timeout, version)

    def touch(
        self, key: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        key = self.make_and_validate_key(key, version=version)
        return self.store.touch(key, self._expires(timeout))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return self.store.pop(self.make_and_validate_key(key, version=version)) is not None

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self.make_and_validate_key(key, version=version) in self.store

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        key = self.make_and_validate_key(key, version=version)
        try:
            held = self.store.update(key, lambda held: _pack(thaw(held) + delta))
        except KeyError:
            raise ValueError(f"Key '{key}' not found") from None
        total: int = thaw(held)
        return total

    def set_many(
        self,
        data: dict[Any, Any],
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[Any]:
        """The keys whose values are larger than the whole store."""
        return [key for key in data if not self._set(key, data[key], timeout, version)]

    def clear(self) -> None:
        for (location, *_), store in list(_stores.items()):
            if location == self._location:
                store.clear()

    async def aadd(self, *args: Any, **kwargs: Any) -> bool:
        return self.add(*args, **kwargs)

    async def aget(self, *args: Any, **kwargs: Any) -> Any:
        return self.get(*args, **kwargs)

    async def aset(self, *args: Any, **kwargs: Any) -> None:
        self.set(*args, **kwargs)

    async def atouch(self, *args: Any, **kwargs: Any) -> bool:
        return self.touch(*args, **kwargs)

    async def adelete(self, *args: Any, **kwargs: Any) -> bool:
        return self.delete(*args, **kwargs)

    async def ahas_key(self, *args: Any, **kwargs: Any) -> bool:
        return self.has_key(*args, **kwargs)

    async def aincr(self, *args: Any, **kwargs: Any) -> int:
        return self.incr(*args, **kwargs)

    async def aget_many(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self.get_many(*args, **kwargs)

    async def aset_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        return self.set_many(*args, **kwargs)

    async def aclear(self) -> None:
        self.clear()

    def _set(self, key: Any, value: Any, timeout: float | None, version: int | None) -> bool:
        """False when the value is larger than the whole store."""
        key = self.make_and_validate_key(key, version=version)
        held, size = _pack(value)
        self._cull(key)
        return self.store.put(key, held, size, self._expires(timeout)) or self.store.fits(size)

    def _expires(self, timeout: float | None) -> float:
        """The instant in ms, as exact as Django has it; 0 and less have passed, None never will."""
        when = self.get_backend_timeout(timeout)
        return NEVER if when is None else when * 1000

    def _cull(self, key: str) -> None:
        """Django's contract: where a new key finds MAX_ENTRIES, a fraction of all leaves."""
        count = len(self.store)
        if count >= self._max_entries and key not in self.store:
            self.store.evict(count // self._cull_frequency if self._cull_frequency else count)


def _pack(value: object) -> tuple[object, int]:
    held, size = freeze(value)
    return held, size + ENTRY_OVERHEAD


def _max_bytes(options: dict[str, Any]) -> int:
    """The byte limit of these OPTIONS; ImproperlyConfigured names what is wrong in them."""
    if unknown := sorted(set(options) - OPTIONS):
        raise ImproperlyConfigured(
            f"MemoryCache has no option {', '.join(unknown)}; it has {', '.join(sorted(OPTIONS))}"
        )
    if {"MAX_BYTES", "MAX_MB"} <= set(options):
        raise ImproperlyConfigured("MemoryCache takes MAX_BYTES or MAX_MB, not both")
    if "MAX_MB" in options:
        return int(_number("MAX_MB", options["MAX_MB"]) * MIB)
    return int(_number("MAX_BYTES", options.get("MAX_BYTES", DEFAULT_MAX_BYTES)))


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return value
    raise ImproperlyConfigured(f"MemoryCache: {name} must be a number from 0, not {value!r}")


def _store(name: str, max_entries: int, max_bytes: int) -> ByteLRU[Any]:
    if max_entries < 0:
        raise ImproperlyConfigured(f"MemoryCache: MAX_ENTRIES must be from 0, not {max_entries}")
    return _stores.setdefault((name, max_entries, max_bytes), ByteLRU(max_entries, max_bytes))
