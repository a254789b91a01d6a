"""An earlier cache's file that lies where the cache's own is to be: set aside, and imported."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from typing import Final

from django.db import OperationalError
from django.db.models import QuerySet

from audiocache.clock import now_ms
from audiocache.legacy.importing import bring
from audiocache.legacy.source import (
    START,
    TABLE,
    Cursor,
    LegacyFile,
    LegacyFileError,
    names_aside,
)
from audiocache.legacy.target import Limits, Naming, Target
from audiocache.models import State

logger = logging.getLogger(__name__)

OWN_TABLE: Final = "audiocache_entry"
_DONE: Final = "done"


def set_aside(path: Path) -> Path | None:
    """Rename an earlier cache's file that lies at `path`; where it is now.

    Called under the lock, before the file is opened. Any other file is left alone. Raises
    OperationalError or OSError when it cannot be told or done at this moment.
    """
    if not path.exists() or not _checkpointed(path):
        return None
    aside = next(name for name in names_aside(path) if not name.exists())
    # The file itself comes last: killed in between, the next run does the rest.
    for suffix in ("-wal", "-shm", "-journal", ""):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + suffix))
    logger.info("set an earlier cache's file aside as %s", aside.name)
    return aside


def adopt(path: Path, alias: str, limits: Limits | None = None) -> None:
    """Import what was set aside at `path` and is not imported yet, once.

    Called under the lock, after migration. A file that cannot be read is logged and left.
    """
    # One look at the disk for every process that has nothing to adopt.
    for aside in reversed(list(takewhile(Path.exists, names_aside(path)))):
        _adopt(aside, alias, limits)


def _adopt(aside: Path, alias: str, limits: Limits | None) -> None:
    state = ImportState(alias, aside)
    if (cursor := state.read()) is None:
        return
    target = Target(alias, Naming(), limits or Limits(), now_ms)
    try:
        with closing(LegacyFile(aside)) as source:
            report = bring(source, target, begin=cursor, mark=state.write)
    except LegacyFileError as error:
        logger.warning("an earlier cache's file was not imported to its end: %s", error)
        return
    state.write(None)
    logger.info(
        "imported an earlier cache's file %s imported=%d expired=%d corrupt=%d over_limit=%d",
        aside.name, report.imported, report.expired, report.corrupt, report.over_limit,
    )  # fmt: skip


def _checkpointed(path: Path) -> bool:
    """Is it an earlier cache's file? Then everything is in it now, and not beside it."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if earlier := TABLE in tables and OWN_TABLE not in tables:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return earlier
    except sqlite3.OperationalError as error:
        # Locked, or not to be opened: nobody knows yet what it is.
        raise OperationalError(str(error)) from error
    except sqlite3.DatabaseError:
        return False


class ImportState:
    """How far the import of a set-aside file has come, kept in the cache's own file."""

    def __init__(self, alias: str, aside: Path) -> None:
        self._states: QuerySet[State] = QuerySet(State, using=alias)
        self._name = f"legacy:{aside.name}"

    def read(self) -> Cursor | None:
        """Where to go on; None when all of it is imported."""
        value = self._states.filter(name=self._name).values_list("value", flat=True).first()
        if value == _DONE:
            return None
        return Cursor(*json.loads(value)) if value else START

    def write(self, cursor: Cursor | None) -> None:
        """Keep where to go on; None: all of it is imported."""
        value = _DONE if cursor is None else json.dumps(cursor)
        self._states.update_or_create(name=self._name, defaults={"value": value})
