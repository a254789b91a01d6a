"""What must be true of a cache whose tiers fail at random: a model without tiers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from audiocache.entries import NEVER


class Name(NamedTuple):
    """Which clip, as it is asked for."""

    text: str
    voice: str | None
    namespace: str


@dataclass(frozen=True)
class Version:
    """One sound that was stored for a clip."""

    audio: bytes
    expires: int
    tags: tuple[str, ...] = ()


@dataclass
class Known:
    """What is known of one clip."""

    current: Version | None = None
    sure: bool = True
    """No fault since it was stored or removed: whether it is there is certain."""


class Model:
    """Clips and what may be answered for them. `faulty`: did a fault meet the operation?"""

    def __init__(self) -> None:
        self.clips: dict[Name, Known] = {}
        self._numbers = itertools.count(1)

    def known(self, name: Name) -> Known:
        return self.clips.setdefault(name, Known())

    def sound(self, name: Name) -> bytes:
        """One that no other clip or version has."""
        return f"{name}|{next(self._numbers)}".encode() * 3

    # What happens

    def stored(self, name: Name, version: Version, *, faulty: bool) -> None:
        known = self.known(name)
        known.current, known.sure = version, not faulty

    def removed(self, names: Iterable[Name], *, faulty: bool) -> None:
        for name in names:
            known = self.known(name)
            known.current, known.sure = None, not faulty

    def removed_by_tag(self, tag: str, *, faulty: bool) -> None:
        for name, known in self.clips.items():
            if known.current is not None and tag in known.current.tags:
                self.removed([name], faulty=faulty)

    def met_a_fault(self, name: Name) -> None:
        """A reading that failed may have deleted what it found damaged."""
        self.known(name).sure = False

    # What may be answered

    def must_be(self, name: Name, now: int) -> Version | None:
        """The one answer to a reading without faults of a clip that is `sure`."""
        current = self.known(name).current
        return current if current is not None and current.expires > now else None

    def may_be(self, name: Name, now: int) -> list[Version]:
        """All that may be found when there are faults, besides nothing: what was removed or
        replaced while a tier was away does not come back with it.
        """
        return [version for version in [self.must_be(name, now)] if version is not None]

    def in_scope(self, text: str, namespace: str) -> list[Name]:
        return [name for name in self.clips if (name.text, name.namespace) == (text, namespace)]


def end_of(now: int, ttl_seconds: float | None) -> int:
    """When a clip put now ends; None: never."""
    return NEVER if ttl_seconds is None else now + round(ttl_seconds * 1000)
