"""What goes with a thing for as long as that lives, such as the breaker of a provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

K = TypeVar("K")
V = TypeVar("V")


class Belongings(Generic[K, V]):
    """One for each owner, made when it is first asked for. Safe under threads and forks."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[K, V] = WeakKeyDictionary()

    def of(self, owner: K, make: Callable[[], V]) -> V:
        """The owner's; `make()` it where there is none."""
        found = self._of.get(owner)
        # Without a lock, which a fork could leave taken: of two made at once, one stays.
        return self._of.setdefault(owner, make()) if found is None else found
