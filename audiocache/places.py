"""Places of which only so many are held at a time, by all processes that share a tier.

For what a provider allows: so many calls at once, and none before an instant. The pulse extends
what is held: who is killed has his place for HELD_MS more at most, however long his call may be.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from audiocache.conf import DISTRIBUTED
from audiocache.forks import renew_in_child
from audiocache.pulse import pulse
from audiocache.rung import Rung
from audiocache.tiers.places import PlaceStore

R = TypeVar("R")

HELD_MS: Final = 6_000
"""As a lease: `audiocache.turns`. It is extended three times as often."""
IDLE_SECONDS: Final = 3600.0


class Place:
    """A place that is held, or a leave to go ahead where no store could say."""

    def __init__(self, rung: Rung | None, name: str, owner: str, ms: int) -> None:
        self.rung = rung
        self.name = name
        self.owner = owner
        self.until = time.monotonic() + ms / 1000
        """It is not extended after this."""
        self.given_back = False

    def give_back(self) -> None:
        """Free it for the next. Trouble is no error: it is free at its deadline."""
        self.given_back = True
        if self.rung is not None:
            _ask(self.rung, lambda store: store.give_back(self.name, self.owner))


class Places:
    """The places of a cache: in Redis while it is up, else in the database.

    Where neither answers, who asks goes ahead (law 4).
    """

    held_ms: int = HELD_MS

    def __init__(self, rungs: Iterable[Rung]) -> None:
        able = [rung for rung in rungs if rung.tier.places is not None]
        self._rungs = sorted(able, key=lambda rung: rung.tier.name != DISTRIBUTED)
        self._scheduled = False
        # Weakly: the place of a thread that an exception took out of here ends by itself.
        self._held: weakref.WeakSet[Place] = weakref.WeakSet()
        self._extend_at = 0.0
        self._lock = threading.Lock()
        renew_in_child(self)

    def take(self, name: str, limit: int, ms: int) -> Place | None:
        """A place for at most `ms`; None: so many are held already."""
        digest, owner, held_ms = _digest(name), secrets.token_hex(16), min(ms, self.held_ms)
        rung, taken = self._first(lambda store: store.take(digest, limit, owner, held_ms))
        if taken is False:
            return None
        place = Place(rung, digest, owner, ms)
        if rung is not None and ms > held_ms:
            self._hold(place)
        return place

    def narrow(self, name: str, limit: int, *, firm: bool = False) -> None:
        """From now on no more than `limit` at once; after a while one more, and one more.

        A firm limit stays, for as long as it is repeated once in an hour.
        """
        self._first(lambda store: store.narrow(_digest(name), limit, firm=firm))

    def lower(self, name: str, most: int) -> None:
        """From now on one less at once than is allowed now of `most`; after a while one more."""
        self._first(lambda store: store.lower(_digest(name), most))

    def pause(self, name: str, ms: int) -> None:
        """Nobody is to begin for so long; a longer pause stays."""
        self._first(lambda store: store.pause(_digest(name), ms))

    def paused(self, name: str) -> int:
        """For how long nobody is to begin, in ms; 0: now."""
        return self._first(lambda store: store.paused(_digest(name)))[1] or 0

    # On the pulse

    def beat(self) -> float:
        """Extend what is held where it is due; seconds to the next."""
        if self._held and time.monotonic() >= self._extend_at:
            self._extend_at = time.monotonic() + self._extend_seconds
            self._extend()
        with self._lock:
            if self._held:
                return max(0.0, self._extend_at - time.monotonic())
        for rung in self._rungs:
            rung.tier.release()
        return IDLE_SECONDS

    def _extend(self) -> None:
        now = time.monotonic()
        held: dict[tuple[Rung, str], list[Place]] = defaultdict(list)
        with self._lock:
            self._held = weakref.WeakSet(one for one in self._held if _goes_on(one, now))
            for place in self._held:
                if place.rung is not None:
                    held[place.rung, place.name].append(place)
        for (rung, name), places in held.items():
            self._extend_all(rung, name, places)

    def _extend_all(self, rung: Rung, name: str, places: list[Place]) -> None:
        owners = [place.owner for place in places]
        _ask(rung, lambda store: store.extend(name, owners, self.held_ms))
        for place in places:
            if place.given_back:  # before that, perhaps: then it was just taken again
                place.give_back()

    # Inside

    @property
    def _extend_seconds(self) -> float:
        return self.held_ms / 3000

    def _hold(self, place: Place) -> None:
        with self._lock:
            if not self._held:
                self._extend_at = time.monotonic() + self._extend_seconds
            self._held.add(place)
        if not self._scheduled:
            self._scheduled = True
            pulse.every(IDLE_SECONDS, self.beat)
        pulse.ensure()
        pulse.soon(self.beat)

    def after_fork(self) -> None:
        """Start anew: what is held is the parent's."""
        self._held = weakref.WeakSet()
        self._lock = threading.Lock()

    def _first(self, call: Callable[[PlaceStore], R]) -> tuple[Rung | None, R | None]:
        """The first store that answers, and its answer."""
        for rung in self._rungs:
            answer = _ask(rung, call)
            if answer is not None:
                return rung, answer
        return None, None


def _goes_on(place: Place, now: float) -> bool:
    return not place.given_back and place.until > now


def _ask(rung: Rung, call: Callable[[PlaceStore], R]) -> R | None:
    store = rung.tier.places
    return rung.attempt("put", lambda _: call(store)) if store is not None else None


def _digest(name: str) -> str:
    """What a store is told: a name may hold a customer's address."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
