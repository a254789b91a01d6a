"""Clips in a storage: rows whose file is missing, files without a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.doctor.sampling import looked_at
from audiocache.tiers.clip_files import FileTrouble, key_of
from audiocache.tiers.sql.batches import batches
from audiocache.tiers.sql.clips import HOME, SPARED_SECONDS

_NAMES: Final = "SELECT id, storage_name FROM audiocache_entry WHERE id > ? ORDER BY id LIMIT ?"


def files(case: Case) -> Iterator[Finding]:
    """Of a sample of rows; deep: of all, and every file of this table."""
    try:
        yield from _missing(case)
        yield from _orphaned(case)
    except FileTrouble as error:
        yield Finding(
            "files.unreachable",
            f"Clips in the storage cannot be looked at: {error}.",
            "Each is a miss meanwhile, and is paid for again.",
            "Set CACHE_STORAGE to where they were put; is its server there, its disk mounted?",
        )


def _missing(case: Case) -> Iterator[Finding]:
    names = [name for _, name in looked_at(case, _NAMES) if name]
    lost = [name for name in names if case.files.lacks(name)]
    # Not those whose row has gone since it was read.
    if number := sum(
        len(_named(case, list(map(key_of, part))).intersection(part)) for part in batches(lost)
    ):
        yield Finding(
            "files.missing",
            f"{number:,} of {len(names):,} clips looked at in the storage are not there.",
            "Each is paid for again when it is asked for; who deletes files in the storage?",
            mend("checksums"),
        )


def _orphaned(case: Case) -> Iterator[Finding]:
    if not case.deep or not case.files.exists:
        return
    if number := sum(_without_row(case, home) for home in _homes(case)):
        yield Finding(
            "files.orphaned",
            f"{number:,} files in the storage belong to no entry.",
            "They take room, and a sound outlives what it was stored for.",
            "manage.py audiocache cleanup (each hour, by Celery beat or cron)",
        )


def _homes(case: Case) -> Iterator[str]:
    """Those of the table, in this storage."""
    sql = "SELECT name FROM audiocache_state WHERE name LIKE ?"
    for (name,) in case.sight.rows(sql, [f"{HOME}%"]):
        home = name.removeprefix(HOME)
        if case.files.has(home):
            yield home


def _without_row(case: Case, home: str) -> int:
    """Those that are older than what may be on its way."""
    until = case.now / 1000 - SPARED_SECONDS
    return sum(map(len, case.files.without_row(home, partial(_named, case), until)))


def _named(case: Case, keys: Sequence[str]) -> set[str]:
    """The files that rows of these keys have."""
    marks = ", ".join("?" * len(keys))
    # Only placeholders are put in; the keys themselves go as parameters.
    sql = f"SELECT storage_name FROM audiocache_entry WHERE key IN ({marks})"  # noqa: S608 - see above
    return {name for (name,) in case.sight.rows(sql, keys)}
