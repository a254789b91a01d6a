"""What processes share beside entries: leases, the removal log, refusals, the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from audiocache.charges import BEGUN
from audiocache.clock import DAY_MS, HOUR_MS
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.doctor.sight import FileSight, Sight
from audiocache.tiers.sql import dialect_for

LONGEST_MS: Final = HOUR_MS
"""A lease is seconds long and extended; one that ends later was taken by a wrong clock."""
APART_MS: Final = 10_000
"""Clocks may differ by this; beyond a minute removals that are heard late go wrong."""

STUCK: Final = "deadline > ? AND substr(name, 1, 6) NOT IN ('limit:', 'pause:')"


def leases(case: Case) -> Iterator[Finding]:
    """Leases that end in the far future."""
    if number := _stuck(case):
        yield Finding(
            "leases",
            f"{number:,} leases end in more than an hour.",
            "What they are for is done by nobody until then: a clip, a clean-up, a warming.",
            mend("leases"),
        )


def _stuck(case: Case) -> int:
    if case.path is None:
        return _count(case.sight, case.now)
    path = lease_file(case.path)
    if not path.exists():
        return 0
    with closing(FileSight(path)) as sight:
        return _count(sight, case.now)


def lease_file(path: Path) -> Path:
    """Beside a file of SQLite's."""
    return path.with_name(f"{path.stem}.leases{path.suffix}")


def _count(sight: Sight, now: int) -> int:
    # What is put in is a constant of this module; the instant goes as a parameter.
    sql = f"SELECT COUNT(*) FROM audiocache_lease WHERE {STUCK}"  # noqa: S608 - see above
    return int(sight.value(sql, [now + LONGEST_MS]))


def removals(case: Case) -> Iterator[Finding]:
    """Positions of the removal log count up by one. It has 10,000 at most."""
    first, last, number = case.sight.row(
        "SELECT MIN(id), MAX(id), COUNT(*) FROM audiocache_removal"
    )
    if number and last - first + 1 != number:
        yield Finding(
            "removals",
            f"The removal log lacks {last - first + 1 - number:,} of its entries.",
            "A process that has not read them yet serves what was removed.",
            mend("removals"),
        )


def refused(case: Case) -> Iterator[Finding]:
    """Answers that were no sound, for which the provider is not asked again now."""
    number = case.sight.value("SELECT COUNT(*) FROM audiocache_refused WHERE until > ?", [case.now])
    if number:
        yield Finding(
            "refused",
            f"{number:,} clips are not made now, for their provider's answer was refused.",
            "Callers get an error for them; each was probably paid for.",
            "Listen to them at /admin/audiocache/refusedclip/, and accept or discard them.",
        )


def calls(case: Case) -> Iterator[Finding]:
    """Paid calls of the last day of which nobody wrote the end."""
    number = case.sight.value(
        "SELECT COUNT(*) FROM audiocache_charge WHERE outcome = ? AND at > ? AND at < ?",
        [BEGUN, case.now - DAY_MS, case.now - LONGEST_MS],
    )
    if number:
        yield Finding(
            "calls",
            f"{number:,} paid calls of the last day have begun and not ended.",
            "Their processes were killed: each counts as spent, and what it bought is lost.",
            "dmesg -T | grep -i 'killed process'; and give workers more time to end",
        )


def clock(case: Case) -> Iterator[Finding]:
    """The database's; SQLite's is this host's."""
    if case.path is None:
        there = case.sight.value(f"SELECT {dialect_for(case.sight.vendor).now}")
        yield from apart("database_clock", "the database's server", int(there) - case.now)


def apart(name: str, whose: str, ms: int) -> Iterator[Finding]:
    """Clocks that differ."""
    if abs(ms) > APART_MS:
        yield Finding(
            name,
            f"The clock of {whose} is {abs(ms) / 1000:.0f} s {'ahead of' if ms > 0 else 'behind'}"
            " this host's.",
            "Entries end too early or too late, and a removal may spare what it is for.",
            "timedatectl set-ntp true (on both hosts)",
        )
