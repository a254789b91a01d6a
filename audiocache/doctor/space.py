"""Room: the disk, SQLite's log and free pages, and use against the limits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Final

from audiocache.conf import MIB
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.tiers.sql.room import EVICT_ROWS

WAL_BYTES: Final = 128 * MIB
FREE_BYTES: Final = 64 * MIB
"""Of free pages, where they are more than half of the file."""
PINNED_SHARE: Final = 0.9


def disk(case: Case) -> Iterator[Finding]:
    """May the table grow to its limit?"""
    if case.path is None:
        return
    free, limit = shutil.disk_usage(case.path.parent).free, case.config.persistent_max_mb * MIB
    missing = max(0, limit - _used(case)[1]) - free
    if missing > 0 or free < FREE_BYTES:
        yield Finding(
            "disk",
            f"{free // MIB:,} MiB of the disk are free, and the cache may still grow by more.",
            "On a full disk nothing is stored, so all that is new is paid for at each request.",
            f"Set CACHE_PERSISTENT_MAX_MB to at most {int((_used(case)[1] + free * 0.8) / MIB):,},"
            " or make room.",
        )


def wal(case: Case) -> Iterator[Finding]:
    """SQLite's log beside the file."""
    log = case.path.with_name(f"{case.path.name}-wal") if case.path else None
    size = log.stat().st_size if log and log.exists() else 0
    if size > WAL_BYTES:
        yield Finding(
            "wal",
            f"SQLite's log has {size // MIB:,} MiB.",
            "Look-ups grow slower with it; some process reads for long, or none writes it back.",
            mend("wal"),
        )


def free_pages(case: Case) -> Iterator[Finding]:
    """What a file holds of deleted clips."""
    if case.path is None:
        return
    pages = {
        name: case.sight.value(f"PRAGMA {name}")
        for name in ("freelist_count", "page_count", "page_size")
    }
    free = pages["freelist_count"] * pages["page_size"]
    if free > FREE_BYTES and pages["freelist_count"] > pages["page_count"] / 2:
        yield Finding(
            "free_pages",
            f"{free // MIB:,} MiB of the file are free pages.",
            "The disk has less room than it could, and they keep what was deleted.",
            "manage.py audiocache scrub",
        )


def limits(case: Case) -> Iterator[Finding]:
    """Is more stored than is allowed?"""
    entries, size = _used(case)
    most, most_bytes = case.config.persistent_max_size, int(case.config.persistent_max_mb * MIB)
    if most and entries > most + EVICT_ROWS:
        yield _over(f"{entries:,} entries are stored, and {most:,} allowed", "SIZE")
    if most_bytes and size > most_bytes * 1.1:
        yield _over(f"{size:,} bytes are stored, and {most_bytes:,} allowed", "MB")


def _over(what: str, name: str) -> Finding:
    return Finding(
        "limits",
        f"{what}.",
        "Either the limit was lowered and nothing was put since, or pins fill it.",
        f"Raise CACHE_PERSISTENT_MAX_{name}, or manage.py audiocache unpin; the next puts evict.",
    )


def pins(case: Case) -> Iterator[Finding]:
    """Do pins leave room for others? Of so many rows as the limit has, and no more."""
    most = case.config.persistent_max_size
    sql = "SELECT COUNT(*) FROM (SELECT 1 FROM audiocache_entry WHERE pinned LIMIT ?) AS found"
    number = case.sight.value(sql, [most]) if most else 0
    if most and number >= most * PINNED_SHARE:
        yield Finding(
            "pins",
            f"{number:,} of at most {most:,} entries are pinned.",
            "What is not pinned is evicted as soon as it is stored, and paid for again.",
            "Raise CACHE_PERSISTENT_MAX_SIZE, or manage.py audiocache unpin --voice ...",
        )


def _used(case: Case) -> tuple[int, int]:
    """Entries and bytes, by the totals."""
    row = case.sight.row("SELECT SUM(entries), SUM(bytes) FROM audiocache_total")
    return int(row[0] or 0), int(row[1] or 0)
