"""An entry as facts, for people and for JSON. Its text is not among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from audiocache.cache import MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.entries import AudioEntry, Clip
from audiocache.finding import entries
from audiocache.management.output import moment
from audiocache.models import AudioCacheEntry

_OF_ROW: Final = ("hits", "pinned", "revision")


def state_of(expires: int, keep_until: int, now: int | None = None) -> str:
    """fresh, stale (kept for when the origin fails) or expired."""
    instant = now_ms() if now is None else now
    if expires > instant:
        return "fresh"
    return "stale" if keep_until > instant else "expired"


def life_of(entry: AudioEntry | AudioCacheEntry) -> dict[str, Any]:
    """State and instants; an instant that is null has no end."""
    return {
        "state": state_of(entry.expires, entry.keep_until),
        "created": moment(entry.created),
        "expires": moment(entry.expires),
        "keep_until": moment(entry.keep_until),
    }


def facts_of(entry: AudioEntry) -> dict[str, Any]:
    """All that is known of an entry but its text and its sound."""
    return {
        "key": entry.key,
        "namespace": entry.namespace,
        "variant": entry.variant,
        "content_type": entry.content_type,
        "size": entry.size,
        "duration_ms": entry.duration_ms,
        "source_key": entry.source_key,
        "transcoded_from": entry.transcoded_from,
        "cost": entry.cost,
        "billed_units": entry.billed_units,
        "tags": list(entry.tags),
    } | life_of(entry)


def row_facts(key: str) -> dict[str, Any]:
    """What only the table knows; nothing where it has no such row."""
    row = entries().filter(key=key).first()
    if row is None:
        return {}
    return {name: getattr(row, name) for name in _OF_ROW} | {"used": moment(row.used)}


def lives_in(cache: MultiTierAudioCache, held: Mapping[str, AudioEntry | None]) -> dict[str, Any]:
    """By tier: its life there, null where the tier has it not, `unavailable` in trouble."""
    available = {rung.tier.name: rung.circuit.available for rung in cache.ladder.rungs}
    return {
        name: life_of(entry) if entry else (None if available[name] else "unavailable")
        for name, entry in held.items()
    }


def tier_rows(lives: Mapping[str, Any]) -> Iterable[tuple[object, ...]]:
    """The rows of a table about `lives_in`."""
    for name, life in lives.items():
        if isinstance(life, dict):
            yield name, life["state"], life["created"], life["expires"] or "never"
        else:
            yield name, life or "not there", None, None


def holder(cache: MultiTierAudioCache, clip: Clip) -> tuple[AudioEntry | None, dict[str, Any]]:
    """The first entry on the way down, and its lives by tier; counts and fills nothing."""
    held = cache.ladder.where(clip)
    found = next((entry for entry in held.values() if entry), None)
    return found, lives_in(cache, held)


def row_summary(row: AudioCacheEntry) -> dict[str, Any]:
    """A row in a list of several."""
    return {
        "key": row.key,
        "namespace": row.namespace,
        "provider": row.provider,
        "model": row.model,
        "voice": row.voice,
        "language": row.language,
        "content_type": row.content_type,
        "size": row.size,
        "state": state_of(row.expires, row.keep_until),
    }
