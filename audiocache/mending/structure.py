"""Mending how the database is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.db import connections, models

from audiocache import own_file
from audiocache.doctor.sight import DjangoSight
from audiocache.doctor.structure import (
    STATEMENTS,
    Columns,
    missing_indexes,
    missing_tables,
    missing_triggers,
    models_here,
    tables_in,
)
from audiocache.exceptions import TierBusy
from audiocache.finding import ready
from audiocache.migrations import _statistics
from audiocache.tiers.sql.connection import OwnConnection


def integrity() -> int:
    """Make SQLite's indexes anew from their tables. Raises TierError: a page itself is damaged."""
    database = _file()
    if database is None:
        return 0
    tables = tables_in(DjangoSight(database.alias))
    with own_file.patient(database.wrapper):
        for table in tables:
            database.run(f"REINDEX {table}")
    return len(tables)


def tables() -> int:
    """Make those that are missing, empty."""
    alias = ready()
    missing = missing_tables(DjangoSight(alias))
    with connections[alias].schema_editor() as editor:
        for model in models_here():
            if model._meta.db_table in missing:  # noqa: SLF001 - Django's documented API
                editor.create_model(model)
        if missing:
            _statistics.leave_out(None, editor)
            _statistics.leave_out_later(None, editor)
    return len(missing)


def indexes() -> int:
    """Make those that are missing. Writers wait until they are made."""
    alias = ready()
    missing = missing_indexes(DjangoSight(alias))
    with connections[alias].schema_editor() as editor:
        for columns in missing:
            model, index = _index(columns)
            editor.add_index(model, index)
    return len(missing)


def _index(columns: Columns) -> tuple[type[models.Model], models.Index]:
    table, names = columns
    for model in models_here():
        meta = model._meta  # noqa: SLF001 - Django's documented API
        if meta.db_table == table:
            named = (index for index in meta.indexes if tuple(index.fields) == names)
            name = f"{table}_{names[0]}"[:30]
            return model, next(named, models.Index(fields=list(names), name=name))
    raise LookupError(table)


def triggers() -> int:
    """Make those that are missing; what was not counted meanwhile, `totals` counts."""
    alias = ready()
    missing = missing_triggers(DjangoSight(alias))
    with connections[alias].schema_editor() as editor:
        for statement in _statements(connections[alias].vendor, missing):
            editor.execute(statement, params=None)
    return len(missing)


def _statements(vendor: str, missing: list[str]) -> Iterator[str]:
    """Their functions as well, where a database has them apart."""
    for statement in STATEMENTS[vendor] if missing else ():
        if "CREATE FUNCTION" in statement:
            yield statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        elif any(f"CREATE TRIGGER {name}" in statement for name in missing):
            yield statement


def journal() -> int:
    """SQLite's write-ahead log."""
    database = _file()
    if database is None:
        return 0
    [(mode,)] = database.query("PRAGMA journal_mode=WAL")
    if mode != "wal":
        raise TierBusy("another process uses the file")
    return 1


def wal() -> int:
    """Write SQLite's log back, and cut it. Raises TierBusy while somebody reads for long."""
    database = _file()
    if database is None:
        return 0
    wrapper = database.wrapper
    with own_file.patient(wrapper):
        [(busy, *_)] = database.query("PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        raise TierBusy("another process reads")
    log = Path(f"{wrapper.settings_dict['NAME']}-wal")
    if log.exists() and log.stat().st_size:
        raise TierBusy("another process uses the log")
    return 1


def _file() -> OwnConnection | None:
    """The cache's database, where it is a file."""
    alias = ready()
    return OwnConnection(alias) if connections[alias].vendor == "sqlite" else None
