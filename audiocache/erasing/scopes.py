"""In which namespaces a text lies: those that the database knows by name, Redis by digest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from django.db import DatabaseError

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import DISTRIBUTED, PERSISTENT
from audiocache.entries import Clip
from audiocache.erasing.report import DONE, KEPT, PENDING, Step
from audiocache.finding import ready
from audiocache.models import AudioCacheEntry, Charge, RefusedClip
from audiocache.removals.values import digest

PLACE: Final = "namespaces"


class Scopes(NamedTuple):
    """Where a text is looked for, when no namespace is named."""

    names: Collection[str]
    hidden: Collection[tuple[str, str]]
    """What Redis alone has: digests of the text, and of the namespace."""
    told: Step


def scopes_of(cache: MultiTierAudioCache, clip: Clip) -> Scopes:
    """Looked for where there are names and where there are none."""
    known = _known_to_database(cache)
    names = {clip.namespace} | (known or set())
    found = _known_to_redis(cache, clip)
    said = {digest(name) for name in names}
    hidden = {(text, scope) for text, scope in found or () if scope not in said}
    return Scopes(names, hidden, _told(known, found, len(names), len(hidden)))


def _known_to_database(cache: MultiTierAudioCache) -> set[str] | None:
    """Those of which there is an entry, a refused answer or a charge; None: there is no telling."""
    if PERSISTENT not in cache.tiers:
        return None
    tables = (AudioCacheEntry, RefusedClip, Charge)
    try:
        alias = ready()
        asked = [table.objects.using(alias).values_list("namespace", flat=True) for table in tables]
        return {name for rows in asked for name in rows.order_by().distinct()}
    except (DatabaseError, OSError):
        return None


def _known_to_redis(cache: MultiTierAudioCache, clip: Clip) -> set[tuple[str, str]] | None:
    """None: it does not answer, or there is none."""
    for rung in cache.ladder.rungs:
        if rung.tier.name == DISTRIBUTED:
            return rung.attempt(
                "",
                lambda tier: {
                    (text, scope) for text in clip.digests for scope in tier.namespaces_of(text)
                },
            )
    return None if PERSISTENT not in cache.tiers else set()


def _told(
    known: Collection[str] | None, found: Collection[object] | None, names: int, hidden: int
) -> Step:
    if known is None and found is None:
        told = "without the database nobody knows their names; it was looked for outside of any"
        return Step(PLACE, KEPT, told, "the same with --namespace, for each of them")
    if found is None:
        told = f"in the {names:,} that the database knows; Redis may have more, and does not answer"
        return Step(PLACE, PENDING, told, "the same, when it answers")
    also = f", and in {hidden:,} that Redis alone has" if hidden else ""
    if known is None:
        return Step(PLACE, DONE, f"looked for in all {len(found):,} in which Redis has it")
    return Step(PLACE, DONE, f"looked for in all {names:,} that the database knows{also}")
