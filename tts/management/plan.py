"""What a run of warming has to do, found out before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from audiocache.conf import PERSISTENT
from tts.exceptions import InvalidSpeechRequest
from tts.phrases import Phrase
from tts.service import TTSService

CHARACTER_BYTES: Final = 3000
"""Of speech as 22 kHz WAV: 44,100 bytes a second at some 15 characters a second."""


@dataclass(slots=True)
class Plan:
    """Phrases by what is to become of them."""

    missing: list[Phrase] = field(default_factory=list)
    """To be made; their requests are complete."""
    stored: int = 0
    duplicates: int = 0
    """The same clip stood there before."""
    later: int = 0
    """Missing, too, but over --limit."""
    refused: list[str] = field(default_factory=list)
    """Place, field and limit of what the provider cannot speak."""

    def cut(self, limit: int | None) -> None:
        """Leave what is over the limit for another run."""
        if limit is not None:
            self.later = len(self.missing[limit:])
            del self.missing[limit:]

    @property
    def characters(self) -> int:
        """Of all that is missing."""
        return sum(len(phrase.request.text) for phrase in self.missing)


def plan_of(service: TTSService, phrases: Iterable[Phrase], namespace: str) -> Plan:
    """Sort phrases; counts no hit or miss. Raises ImproperlyConfigured."""
    plan, seen = Plan(), set[str]()
    for phrase in phrases:
        try:
            request = service.complete(phrase.request)
            clip = request.clip(namespace)
        except InvalidSpeechRequest as error:
            plan.refused.append(f"{phrase.place}: {error}")
            continue
        if clip.key in seen:
            plan.duplicates += 1
        elif service.cache.holds(clip):
            plan.stored += 1
        else:
            plan.missing.append(Phrase(request, phrase.place))
        seen.add(clip.key)
    return plan


def shortfalls_of(service: TTSService, plan: Plan) -> list[str]:
    """See `shortfalls`, of the service's own database tier."""
    if PERSISTENT not in service.cache.tiers or not plan.missing:
        return []
    return shortfalls(plan, service.cache.get_comprehensive_stats()["backends"][PERSISTENT])


def shortfalls(plan: Plan, backend: Mapping[str, Any]) -> list[str]:
    """Limits of the database tier that the missing phrases would break, as sentences."""
    rows, size = backend.get("entry_count"), backend.get("total_size_bytes")
    if rows is None or size is None:
        return []
    found, new = [], len(plan.missing)
    if (limit := backend.get("max_entries")) and rows + new > limit:
        found.append(f"CACHE_PERSISTENT_MAX_SIZE is {limit:,} rows; {rows:,} used, {new:,} new")
    more, how = _estimate(plan, rows, size)
    if (limit := backend.get("max_bytes")) and size + more > limit:
        used = f"CACHE_PERSISTENT_MAX_MB is {limit:,} bytes; {size:,} used"
        found.append(f"{used}, about {more:,} new ({how})")
    return found


def _estimate(plan: Plan, rows: int, size: int) -> tuple[int, str]:
    if rows > 0:
        mean = size // rows
        return mean * len(plan.missing), f"estimated at {mean:,} a clip, the mean of those stored"
    return plan.characters * CHARACTER_BYTES, f"estimated at {CHARACTER_BYTES:,} a character"
