"""Is SQLite's file whole? A look at both ends of each tree; deep: SQLite's own check of all."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from audiocache.database import is_own_file
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.doctor.sight import FileSight, Sight
from audiocache.doctor.structure import columns_of, tables_in

LONGEST_SECONDS: Final = 600.0
"""For SQLite's own check."""

DAMAGE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")
CHECK: Final = "PRAGMA integrity_check"
_CONDITIONS: Final = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql <> ''"
_WHERE: Final = re.compile(r"\bWHERE\b.*", re.DOTALL)
_OF_INDEX: Final = re.compile(r"(missing from|entries in|non-unique entry in) index \w+$")
"""What SQLite says of an index that does not fit its table: the table is sound."""

_WHY: Final = (
    "Whatever touches the damage fails: clips that cannot be stored are paid for by each process."
    " The disk or the memory may be failing."
)


def integrity(case: Case) -> Iterator[Finding]:
    """Without `deep` it reads a few pages of each table and index."""
    if case.path is None:
        return
    with closing(FileSight(case.path)) as sight:
        if broken := [name for name, look in _ends(sight) if _is_damaged(sight, look)]:
            yield _damaged(case, case.path, f"in {', '.join(dict.fromkeys(broken))}")
        elif case.deep:
            yield from _checked(case, case.path, sight)


def _ends(sight: Sight) -> Iterator[tuple[str, str]]:
    """Names of tables and indexes, and what walks down one side of each."""
    conditions = {name: _WHERE.search(sql) for name, sql in sight.rows(_CONDITIONS)}
    for order in ("ASC", "DESC"):
        for table in tables_in(sight):
            # Names of the schema, which no caller has a hand in.
            yield table, f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid {order} LIMIT 1"  # noqa: S608 - names of the schema
        for (table, index), columns in columns_of(sight).items():
            by = ", ".join(f"{column} {order}" for column in columns)
            found = conditions.get(index)
            only = found[0] if found else ""
            look = f"FROM {table} INDEXED BY {index} {only} ORDER BY {by} LIMIT 1"
            yield index, f"SELECT rowid {look}"


def _is_damaged(sight: Sight, look: str) -> bool:
    try:
        sight.rows(look)
    except sqlite3.Error as error:
        if _tells_damage(error):
            return True
        raise
    return False


def _tells_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(DAMAGE)


def _checked(case: Case, path: Path, sight: FileSight) -> Iterator[Finding]:
    try:
        said = [line for (line,) in sight.rows_within(LONGEST_SECONDS, CHECK)]
    except TimeoutError:
        yield _unfinished(path)
        return
    except sqlite3.Error as error:  # some damage it does not list: it ends there
        if not _tells_damage(error):
            raise
        said = [""]
    if said == ["ok"]:
        return
    indexes = all(_OF_INDEX.search(line) for line in said)
    yield _unindexed(len(said)) if indexes else _damaged(case, path, "in its pages")


def _unindexed(number: int) -> Finding:
    return Finding(
        "integrity",
        f"{number:,} times, or more often, an index does not fit its table.",
        "Clips are not found, and paid for again; or they are neither evicted nor removed.",
        mend("integrity"),
    )


def _unfinished(path: Path) -> Finding:
    return Finding(
        "integrity",
        f"SQLite's own check did not come to its end in {LONGEST_SECONDS:.0f} s.",
        "What it has not looked at may be damaged.",
        f"sqlite3 {path} '{CHECK}'",
    )


def _damaged(case: Case, path: Path, where: str) -> Finding:
    return Finding("integrity", f"SQLite's file is damaged {where}.", _WHY, _anew(case, path))


def _anew(case: Case, path: Path) -> str:
    """What is sound is carried over; nothing else is to write meanwhile."""
    if is_own_file(case.alias):
        return (
            "With the site stopped: manage.py audiocache export whole.tar;"
            f" mv {path} {path}.broken; manage.py audiocache import whole.tar"
        )
    return (
        f"With the site stopped: sqlite3 {path} .recover | sqlite3 {path}.whole;"
        f" mv {path} {path}.broken; mv {path}.whole {path}"
    )
