"""Places of which only so many are held at a time, by all processes that share a tier.

For what a provider allows: so many calls at once, and none before an instant. Who is killed
gives his place back by its deadline.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from typing import TypeVar

from audiocache.conf import DISTRIBUTED
from audiocache.rung import Rung
from audiocache.tiers.places import PlaceStore

R = TypeVar("R")


class Place:
    """A place that is held, or a leave to go ahead where no store could say."""

    def __init__(self, rung: Rung | None, name: str, owner: str) -> None:
        self._rung = rung
        self._name = name
        self._owner = owner

    def give_back(self) -> None:
        """Free it for the next. Trouble is no error: it is free at its deadline."""
        if self._rung is not None:
            _ask(self._rung, lambda store: store.give_back(self._name, self._owner))


class Places:
    """The places of a cache: in Redis while it is up, else in the database.

    Where neither answers, who asks goes ahead (law 4).
    """

    def __init__(self, rungs: Iterable[Rung]) -> None:
        able = [rung for rung in rungs if rung.tier.places is not None]
        self._rungs = sorted(able, key=lambda rung: rung.tier.name != DISTRIBUTED)

    def take(self, name: str, limit: int, ms: int) -> Place | None:
        """A place for at most `ms`; None: so many are held already."""
        digest, owner = _digest(name), secrets.token_hex(16)
        rung, taken = self._first(lambda store: store.take(digest, limit, owner, ms))
        return None if taken is False else Place(rung, digest, owner)

    def narrow(self, name: str, limit: int) -> None:
        """From now on no more than `limit` at once; after a while one more, and one more."""
        self._first(lambda store: store.narrow(_digest(name), limit))

    def pause(self, name: str, ms: int) -> None:
        """Nobody is to begin for so long; a longer pause stays."""
        self._first(lambda store: store.pause(_digest(name), ms))

    def paused(self, name: str) -> int:
        """For how long nobody is to begin, in ms; 0: now."""
        return self._first(lambda store: store.paused(_digest(name)))[1] or 0

    def _first(self, call: Callable[[PlaceStore], R]) -> tuple[Rung | None, R | None]:
        """The first store that answers, and its answer."""
        for rung in self._rungs:
            answer = _ask(rung, call)
            if answer is not None:
                return rung, answer
        return None, None


def _ask(rung: Rung, call: Callable[[PlaceStore], R]) -> R | None:
    store = rung.tier.places
    return rung.attempt("put", lambda _: call(store)) if store is not None else None


def _digest(name: str) -> str:
    """What a store is told: a name may hold a customer's address."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
