"""An erasure, step by step: each place says whether it is done, pending, or another's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final

from django.db import connections

from audiocache.cache import MultiTierAudioCache
from audiocache.conf import DISTRIBUTED, MEMORY, PERSISTENT
from audiocache.erasing import clip_files, scrubbing
from audiocache.erasing.report import DONE, KEPT, OTHERS, PENDING, Report, Step
from audiocache.erasing.subject import Subject, forget_refused, refused_of
from audiocache.finding import entries, ready
from audiocache.legacy.source import names_aside
from audiocache.rung import Rung
from audiocache.tiers.persistent import PersistentTier

SCRUB: Final = "manage.py audiocache scrub"
_BY_ITSELF: Final = "does not answer; it is told when it does, before it is believed"
_AGAIN: Final = "does not answer, and no other tier remembers the removal: run this again"


def erase(cache: MultiTierAudioCache, subject: Subject) -> Report:
    """Remove a subject from every tier, and rewrite the file that would keep it."""
    has_table = _table_answers(cache)
    number = entries().filter(subject.rows).count() if has_table else 0
    refused = refused_of(subject) if has_table else []
    names = clip_files.names_of(subject) if has_table else set()
    removed = subject.discard(cache)
    steps = [*_tiers(cache, subject)]
    if subject.scope:
        steps.append(subject.scope)
    if has_table:
        steps.extend(_clips(cache, names))
        steps.append(_quarantine(forget_refused(refused)))
        steps.extend(_files())
    return Report(number, removed, [*steps, *_elsewhere(cache)])


def _table_answers(cache: MultiTierAudioCache) -> bool:
    rungs = [rung for rung in cache.ladder.rungs if rung.tier.name == PERSISTENT]
    return any(rung.attempt("get", lambda tier: tier.stats()) is not None for rung in rungs)


def _tiers(cache: MultiTierAudioCache, subject: Subject) -> Iterator[Step]:
    """Each tier is asked once more: its answer shows that it has nothing of it."""
    told = {rung.tier.name: _asked(rung, subject) for rung in cache.ladder.rungs}
    for name, answered in told.items():
        if answered:
            also = "; other processes drop it within a second" if name == MEMORY else ""
            yield Step(name, DONE, f"removed, and looked at again{also}")
        else:
            yield _silent(name, remembered=told.get(PERSISTENT, False))


def _asked(rung: Rung, subject: Subject) -> bool:
    answer = rung.attempt("remove", lambda tier: tier.remove_all(subject.removals))
    return answer is not None


def _silent(name: str, *, remembered: bool) -> Step:
    return Step(name, PENDING, _BY_ITSELF if remembered else _AGAIN)


def _clips(cache: MultiTierAudioCache, names: Collection[str]) -> Iterator[Step]:
    """Where a sound was ever too large for its row."""
    tier = cache.tiers[PERSISTENT]
    if isinstance(tier, PersistentTier) and (names or tier.clips.has_homes):
        yield clip_files.deleted(tier.clips, names)


def _quarantine(number: int) -> Step:
    return Step("refused answers", DONE, f"{number:,} forgotten, with their bytes")


# What files keep


def _files() -> Iterator[Step]:
    vendor = connections[ready()].vendor
    if scrubbing.can_rewrite_at_once():
        yield _rewritten("SQLite's file")
    else:
        told = "dead rows have it until VACUUM FULL, for which nobody can use the tables"
        yield Step("PostgreSQL's files", KEPT, told, SCRUB)
    for path in _earlier_files(vendor):
        yield Step("an earlier cache's file", KEPT, "it was imported, and left", f"rm {path}")


def _rewritten(place: str) -> Step:
    try:
        scrubbing.scrub()
    except scrubbing.CannotScrub as error:
        return Step(place, PENDING, str(error), SCRUB)
    return Step(place, DONE, "rewritten without what was deleted, and its log emptied")


def _earlier_files(vendor: str) -> Sequence[Path]:
    if vendor != "sqlite":
        return []
    path = Path(str(connections[ready()].settings_dict["NAME"]))
    return list(takewhile(Path.exists, names_aside(path)))


# What is not the cache's to erase


def _elsewhere(cache: MultiTierAudioCache) -> Iterator[Step]:
    if DISTRIBUTED in cache.tiers:
        yield Step(
            "Redis' own files",
            OTHERS,
            "an RDB or append-only file keeps it until the server writes it anew",
            "redis-cli BGSAVE, redis-cli BGREWRITEAOF",
        )
    if PERSISTENT in cache.tiers and connections[ready()].vendor == "sqlite":
        yield _files_of_others(shared=DISTRIBUTED in cache.tiers)
    if PERSISTENT in cache.tiers and connections[ready()].vendor == "postgresql":
        yield Step("PostgreSQL's log and replicas", OTHERS, "the WAL keeps it until it is recycled")
    yield Step("backups, exports, browsers", OTHERS, "copies that left the cache")
    yield Step("the provider", OTHERS, "what it logged of the texts it was sent")


def _files_of_others(*, shared: bool) -> Step:
    place = "files of other hosts"
    if not shared:
        return Step(place, OTHERS, "without Redis they hear of nothing", "the same on each of them")
    told = "each drops it within a second; its free pages keep it until they are rewritten"
    return Step(place, OTHERS, told, f"{SCRUB}, on each of them")
