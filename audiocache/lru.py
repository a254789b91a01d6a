"""The store in memory: what was least recently used leaves first, by count and by bytes.

Readers take no lock: a hit is one dict call, one look at the clock and one mark on the slot.
Writers share a lock, held for no longer than it takes to move slots; nobody's code runs in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from threading import RLock
from typing import Final, Generic, TypeVar

from audiocache.clock import Clock, now_ms
from audiocache.entries import NEVER
from audiocache.forks import renew_in_child
from audiocache.listeners import Listener, Listeners
from audiocache.slots import DEADLINE, VALUE, Slot, Slots, Ticker, reader_of

V = TypeVar("V")

EVICTED: Final = "evicted"
EXPIRED: Final = "expired"


class ByteLRU(Generic[V]):
    """Values by key, at most `max_entries` of them and `max_bytes` in all.

    The unit of size is what the caller says; at a limit of 0 nothing fits. `on_evict` is
    told (key, value) pairs and "evicted" or "expired", outside the lock; it may call back.
    """

    get: Callable[[str], V | None]
    """The fresh value of a key, marked as used, or None. Takes no lock; drops what expired."""

    def __init__(
        self,
        max_entries: int,
        max_bytes: int,
        *,
        clock: Clock = now_ms,
        on_evict: Listener[V] | None = None,
    ) -> None:
        self._slots = Slots(max_entries, max_bytes)
        self.listeners = Listeners(on_evict)
        self._lock = RLock()  # re-entrant: a finalizer or a signal may call in at any moment
        self._ticker, self._ms_per_tick = _ticking(clock)
        self.get = reader_of(self._slots, self._ticker, self._lapse)
        renew_in_child(self)

    def peek(self, key: str) -> V | None:
        """The fresh value of a key, not marked as used."""
        slot = self._fresh(key)
        return None if slot is None else slot[VALUE]

    def put(self, key: str, value: V, size: int, expires: float = NEVER) -> bool:
        """Hold the value until `expires` (ms). False when it does not fit or has expired.

        The key's older value is gone then, too.
        """
        slot: Slot = [value, size, expires / self._ms_per_tick, False]
        lock = self._lock
        lock.acquire()  # `with` costs three times as much
        try:
            dropped = self._slots.place(key, slot, self._ticker.time())
        finally:
            lock.release()
        if dropped:
            self._tell(dropped)
        return dropped is not None

    def add(
        self, key: str, value: V, size: int, expires: float = NEVER, *, spare: bool = False
    ) -> bool:
        """`put`, unless the key has a fresh value; a spare one, where there is room."""
        place = self._slots.place_spare if spare else self._slots.place
        with self._lock:
            if self._fresh(key) is not None:
                return False
            slot: Slot = [value, size, expires / self._ms_per_tick, False]
            dropped = place(key, slot, self._ticker.time())
        self._tell(dropped)
        return dropped is not None

    def update(self, key: str, change: Callable[[V], tuple[V, int]]) -> V:
        """Replace a fresh value by the one, with its size, that `change` makes of it.

        Atomic, the expiry stays. `change` runs outside the lock, and again when another
        writer came first. Raises KeyError when there is no fresh value.
        """
        while (slot := self._fresh(key)) is not None:
            value, size = change(slot[VALUE])
            if self._swap(key, slot, value, size):
                return value
        raise KeyError(key)

    def touch(self, key: str, expires: float) -> bool:
        """Give a fresh value another expiry (ms). False when there is none."""
        with self._lock:
            slot = self._fresh(key)
            if slot is not None:
                slot[DEADLINE] = expires / self._ms_per_tick
        return slot is not None

    def pop(self, key: str) -> V | None:
        """Remove a key; its value, when that was fresh."""
        with self._lock:
            slot = self._slots.take(key)
        return None if slot is None or slot[DEADLINE] <= self._ticker.time() else slot[VALUE]

    def clear(self) -> int:
        """Remove everything; how many that was."""
        with self._lock:
            removed = self._slots.clear()
        return len(removed)

    def discard_where(self, predicate: Callable[[str, V], bool]) -> int:
        """Remove the values held at the call for which `predicate(key, value)` holds; how many."""
        chosen = [(key, slot) for key, slot in self._held() if predicate(key, slot[VALUE])]
        return sum(self._drop(key, slot) for key, slot in chosen)

    def sweep(self, limit: int | None = None) -> int:
        """Drop what has expired, at most `limit` of it; how many."""
        now = self._ticker.time()
        lapsed = (item for item in self._held() if item[1][DEADLINE] <= now)
        dropped = [item for item in islice(lapsed, limit) if self._drop(*item, lapsed=True)]
        self._tell(dropped)
        return len(dropped)

    def evict(self, count: int) -> int:
        """Let the `count` least recently used values leave now; how many left."""
        with self._lock:
            count = min(count, len(self))
            dropped = [self._slots.evict(self._ticker.time()) for _ in range(count)]
        self._tell(dropped)
        return len(dropped)

    def keys(self) -> list[str]:
        """The keys held, first to leave first; some may have expired unnoticed."""
        return list(self._slots.by_key)

    @property
    def max_entries(self) -> int:
        return self._slots.max_entries

    @property
    def max_bytes(self) -> int:
        return self._slots.max_bytes

    @property
    def total_bytes(self) -> int:
        """Sum of the sizes held."""
        return self._slots.bytes

    @property
    def evicted(self) -> int:
        """How many left for want of room while they were fresh."""
        return self._slots.evicted

    @property
    def expired(self) -> int:
        """How many left because their time was over."""
        return self._slots.expired

    @property
    def oversize(self) -> int:
        """How many were refused for their size."""
        return self._slots.oversize

    def fits(self, size: int) -> bool:
        """Whether a value of this size may be held at all."""
        return size <= self.max_bytes and self.max_entries > 0

    def after_fork(self) -> None:
        """In the child no other thread is left to free the lock or to end its write."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = RLock()
            self._slots.recount()

    def __len__(self) -> int:
        return len(self._slots.by_key)

    def __contains__(self, key: str) -> bool:
        """Whether the key has a fresh value."""
        return self._fresh(key) is not None

    def _fresh(self, key: str) -> Slot | None:
        slot = self._slots.by_key.get(key)
        return None if slot is None or slot[DEADLINE] <= self._ticker.time() else slot

    def _held(self) -> list[tuple[str, Slot]]:
        with self._lock:
            return list(self._slots.by_key.items())

    def _swap(self, key: str, old: Slot, value: V, size: int) -> bool:
        with self._lock:
            if self._slots.by_key.get(key) is not old:
                return False
            slot: Slot = [value, size, old[DEADLINE], False]
            dropped = self._slots.place(key, slot, self._ticker.time())
        self._tell(dropped)
        return True

    def _drop(self, key: str, slot: Slot, *, lapsed: bool = False) -> bool:
        """Remove this very slot; False when another has its key by now."""
        with self._lock:
            if self._slots.by_key.get(key) is not slot:
                return False
            self._slots.take(key)
            self._slots.expired += lapsed
        return True

    def _lapse(self, key: str, slot: Slot) -> None:
        if self._drop(key, slot, lapsed=True):
            self._tell([(key, slot)])

    def _tell(self, dropped: list[tuple[str, Slot]] | None) -> None:
        if not dropped or not self.listeners:
            return
        now = self._ticker.time()
        fresh = [(key, slot[VALUE]) for key, slot in dropped if slot[DEADLINE] > now]
        if fresh:
            self.listeners.tell(fresh, EVICTED)
        if len(fresh) < len(dropped):
            lapsed = [(key, slot[VALUE]) for key, slot in dropped if slot[DEADLINE] <= now]
            self.listeners.tell(lapsed, EXPIRED)


class _Ticks:
    """A clock of the caller's, asked as the module `time` is."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock


def _ticking(clock: Clock) -> tuple[Ticker, int]:
    """What to ask for the time, and its unit in ms: the system clock without a Python call.

    Not its function, but the module: so it is the clock of those who patch `time.time`, too.
    """
    return (time, 1000) if clock is now_ms else (_Ticks(clock), 1)
