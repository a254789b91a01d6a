"""All examinations in their order: what one needs is looked at before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string

from audiocache.clock import Clock, now_ms
from audiocache.conf import CacheConfig
from audiocache.doctor import coordination, files, integrity, settings, space, storing, structure
from audiocache.doctor import redis as redis_room
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding
from audiocache.doctor.registry import registered
from audiocache.exceptions import TierError

Examine = Callable[[Case], Iterable[Finding]]
TROUBLE: Final = (sqlite3.Error, DatabaseError, InterfaceError, TierError, OSError)

OF_DATABASE: Final[dict[str, Examine]] = {
    "integrity": integrity.integrity,
    "tables": structure.tables,
    "journal": structure.journal,
    "waiting": structure.waiting,
    "indexes": structure.indexes,
    "triggers": structure.triggers,
    "totals": storing.totals,
    "tags": storing.tags,
    "checksums": storing.checksums,
    "soundless": storing.soundless,
    "files": files.files,
    "expired": storing.expired,
    "texts": storing.texts,
    "disk": space.disk,
    "wal": space.wal,
    "free_pages": space.free_pages,
    "limits": space.limits,
    "pins": space.pins,
    "leases": coordination.leases,
    "removals": coordination.removals,
    "refused": coordination.refused,
    "calls": coordination.calls,
    "database_clock": coordination.clock,
}
OF_REDIS: Final[dict[str, Examine]] = {
    "redis_memory": redis_room.memory,
    "redis_policy": redis_room.policy,
    "redis_clock": redis_room.clock,
}


class Examination(NamedTuple):
    """What was looked at, and what was found."""

    examined: list[str]
    findings: list[Finding]


def examine(*, deep: bool = False, clock: Clock = now_ms) -> Examination:
    """Look at the process's installation. Where settings are wrong, at nothing else."""
    seen = Examination([], [])
    _look(seen, "settings", settings.wrong)
    if any(found.name.startswith(settings.ERRORS) for found in seen.findings):
        return seen
    case = Case(CacheConfig.load(), clock, deep)
    try:
        _look_at_database(seen, case)
        _look_at_redis(seen, case)
    finally:
        case.close()
    return seen


def _look_at_database(seen: Examination, case: Case) -> None:
    if _look(seen, "folder", partial(settings.folder, case)) or not case.has_database:
        return
    if _look(seen, "database", partial(structure.answers, case)):
        return
    if _look(seen, "migrations", partial(structure.migrations, case)) and _lacks_tables(seen):
        return
    others: dict[str, Examine] = {name: import_string(path) for name, path in registered()}
    for name, look in (OF_DATABASE | others).items():
        _look(seen, name, partial(look, case))


def _look_at_redis(seen: Examination, case: Case) -> None:
    if not case.has_redis or _look(seen, "redis", partial(redis_room.answers, case)):
        return
    for name, look in OF_REDIS.items():
        _look(seen, name, partial(look, case))


def _lacks_tables(seen: Examination) -> bool:
    return any(found.name == structure.BEHIND for found in seen.findings)


def _look(seen: Examination, name: str, look: Callable[[], Iterable[Finding]]) -> bool:
    """Add what is found; true when something is. What cannot be looked at is a finding, too."""
    before = len(seen.findings)
    seen.examined.append(name)
    try:
        seen.findings.extend(look())
    except (*TROUBLE, ImproperlyConfigured) as error:
        seen.findings.append(_hidden(name, error))
    return len(seen.findings) > before


def _hidden(name: str, error: Exception) -> Finding:
    """Without the driver's words, which may quote a value."""
    kind = getattr(error, "sqlite_errorname", "") or type(error).__name__
    return Finding(
        name,
        f"It could not be looked at: {kind}.",
        "What cannot be read by the doctor is not read by the cache either.",
        "manage.py audiocache stats: does the tier answer now?",
    )
