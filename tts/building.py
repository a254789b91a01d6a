"""What an object makes at its first use: once, whoever asks, and also in a forked child.

functools.cached_property holds a lock in Python 3.11 that a child inherits held, and none since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Self, TypeVar, overload

from audiocache.forks import RenewedLock

T = TypeVar("T")

_LOCK: Final = "_building"
"""The name of an object's own lock among its attributes."""


class built(Generic[T]):  # noqa: N801 - a decorator, as property is one
    """As cached_property: once it is made, it is a plain attribute."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Make it, unless another thread has meanwhile."""
        if instance is None:
            return self
        made = instance.__dict__
        with made.get(_LOCK) or made.setdefault(_LOCK, RenewedLock()):
            if self._name not in made:
                made[self._name] = self._make(instance)
            found: T = made[self._name]
            return found
