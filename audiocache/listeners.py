"""Who is told of what leaves a store: its owner, and any number of others, held weakly."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

V = TypeVar("V")
Listener = Callable[[list[tuple[str, V]], str], None]


class Listeners(Generic[V]):
    """Called with (key, value) pairs and a reason. Telling takes no lock."""

    def __init__(self, owner: Listener[V] | None = None) -> None:
        self._owner = owner
        self._others: list[weakref.WeakMethod[Listener[V]]] = []

    def add(self, method: Listener[V]) -> None:
        """Tell a bound method, too, for as long as its object lives."""
        # Steps that other threads cannot come between: there is no lock.
        for gone in [other for other in self._others if other() is None]:
            with suppress(ValueError):
                self._others.remove(gone)
        self._others.append(weakref.WeakMethod(method))

    def tell(self, pairs: list[tuple[str, V]], reason: str) -> None:
        """Call each of them."""
        if self._owner is not None:
            self._owner(pairs, reason)
        for other in tuple(self._others):
            if (listener := other()) is not None:
                listener(pairs, reason)

    def __bool__(self) -> bool:
        return self._owner is not None or bool(self._others)
