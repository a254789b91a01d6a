"""The files of what is erased: waited for, deleted again, and named where that did not help."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from audiocache.erasing.report import DONE, PENDING, Step
from audiocache.erasing.subject import Subject
from audiocache.exceptions import TierError
from audiocache.finding import entries
from audiocache.tiers.clip_files import home_of
from audiocache.tiers.sql.clips import SqlClips

PLACE: Final = "clips in a storage"
CLEANUP: Final = "manage.py audiocache cleanup"
SHOWN: Final = 10
"""Names in the report at most. They have a key in them, and nothing of a text."""


def names_of(subject: Subject) -> set[str]:
    """Where its sounds lie; asked before its entries are gone."""
    filed = entries().filter(subject.rows).exclude(storage_name="")
    return set(filed.values_list("storage_name", flat=True))


def deleted(clips: SqlClips, names: Collection[str]) -> Step:
    """Have these files gone, and those that were evicted or replaced before?"""
    try:
        elsewhere = _elsewhere(clips, names)
        left = _left(clips, names)
    except TierError as error:
        return _pending(f"{error}; what may still be there", names)
    if elsewhere:
        return _pending("in another storage than CACHE_STORAGE", elsewhere)
    if left:
        return _pending("without a row, and younger than an hour or not to be deleted", left)
    return Step(PLACE, DONE, f"{len(names):,} deleted, and looked for again")


def _elsewhere(clips: SqlClips, names: Collection[str]) -> set[str]:
    """Those that no deletion here has reached."""
    lost = {home for home in set(map(home_of, names)) if not clips.files.has(home)}
    return {name for name in names if home_of(name) in lost}


def _left(clips: SqlClips, names: Collection[str]) -> set[str]:
    """Files without a row at two looks: at one, a row may be about to come."""
    clips.files.finish()
    if not (first := set(clips.without_row())):
        return first
    clips.files.drop(first.intersection(names))
    clips.sweep()
    clips.files.finish()
    return first.intersection(clips.without_row())


def _pending(told: str, names: Collection[str]) -> Step:
    shown = sorted(names)[:SHOWN]
    more = [f"and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
    return Step(PLACE, PENDING, f"{told}: {', '.join([*shown, *more])}".rstrip(": "), CLEANUP)
