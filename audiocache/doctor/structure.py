"""How the database is made: does it answer, is it migrated, are tables, indexes, triggers there?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from django.apps import apps
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model

from audiocache.database import is_own_file
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.doctor.sight import Sight
from audiocache.migrations import _triggers

BEHIND: Final = "migrations.behind"
AHEAD: Final = "migrations.ahead"
SHORTEST_WAIT: Final = 0.1
"""Seconds for which a writer of SQLite must wait for another."""

Columns = tuple[str, tuple[str, ...]]
"""A table and the columns of one of its indexes."""

INDEXES: Final = {
    "sqlite": """
        SELECT m.name, l.name, i.name FROM sqlite_master m, pragma_index_list(m.name) l,
            pragma_index_info(l.name) i
        WHERE m.type = 'table' AND substr(m.name, 1, 10) = 'audiocache'
        ORDER BY m.name, l.name, i.seqno
    """,
    "postgresql": """
        SELECT t.relname, i.relname, a.attname FROM pg_index x
            JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
            CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
        WHERE left(t.relname, 10) = 'audiocache' AND x.indisvalid
        ORDER BY t.relname, i.relname, k.place
    """,
}
BOOKS: Final = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE name = 'django_migrations'",
    "postgresql": """
        SELECT count(*) FROM pg_class
        WHERE relname = 'django_migrations' AND pg_table_is_visible(oid)
    """,
}
"""Has anything been migrated? Django notes it there."""
TABLES: Final = {
    "sqlite": """
        SELECT name FROM sqlite_master
        WHERE type = 'table' AND substr(name, 1, 10) = 'audiocache' ORDER BY name
    """,
    "postgresql": """
        SELECT relname FROM pg_class
        WHERE relkind = 'r' AND left(relname, 10) = 'audiocache' AND pg_table_is_visible(oid)
    """,
}
TRIGGERS: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
}
STATEMENTS: Final = {
    "sqlite": (*_triggers.SQLITE, *_triggers.SQLITE_ANNOUNCE),
    "postgresql": (*_triggers.POSTGRESQL, *_triggers.POSTGRESQL_ANNOUNCE),
}
_TRIGGER: Final = re.compile(r"CREATE TRIGGER (\w+)")


def answers(case: Case) -> Iterator[Finding]:
    """A first question."""
    try:
        if not _was_migrated(case) and is_own_file(case.alias):
            case.sight.value("SELECT 1 FROM django_migrations LIMIT 1")
    except Exception as error:  # noqa: BLE001 - whatever the driver says, it does not answer
        kind = getattr(error, "sqlite_errorname", "") or type(error).__name__
        yield Finding(
            "database", f"The cache's database does not answer: {kind}.", _LOST, _how(case)
        )


def _was_migrated(case: Case) -> bool:
    return bool(case.sight.value(BOOKS[case.sight.vendor]))


_LOST: Final = "Nothing is kept over a restart, and other servers are not heard of."


def _how(case: Case) -> str:
    if case.path is None:
        return f"manage.py dbshell --database {case.alias}: is the server there?"
    if is_own_file(case.alias):
        return f"mv {case.path} {case.path}.broken: the cache makes another at its next use"
    return f"manage.py migrate audiocache --database {case.alias}"


def migrations(case: Case) -> Iterator[Finding]:
    """Behind the code, or ahead of it."""
    noted = "SELECT name FROM django_migrations WHERE app = 'audiocache'"
    found = case.sight.rows(noted) if _was_migrated(case) else []
    applied = {name for (name,) in found}
    known = _known()
    if (missing := known - applied) and not is_own_file(case.alias):
        yield Finding(
            BEHIND,
            f"Migrations are not applied: {', '.join(sorted(missing))}.",
            "Tables or columns are missing, and the database tier is passed over.",
            f"manage.py migrate audiocache --database {case.alias}",
        )
    if later := applied - known:
        yield Finding(
            AHEAD,
            f"A later release has migrated the database: {', '.join(sorted(later))}.",
            "This release goes on beside it, and does not see what is new.",
            "pip install --upgrade django-audiocache",
        )


def _known() -> set[str]:
    """The migrations of this release, or of what the site put in their place."""
    module, _ = MigrationLoader.migrations_module("audiocache")
    files = iter_modules(import_module(str(module)).__path__)
    return {file.name for file in files if file.name[0] not in "_~"}


def journal(case: Case) -> Iterator[Finding]:
    """SQLite's write-ahead log."""
    if case.path is not None and (mode := case.sight.value("PRAGMA journal_mode")) != "wal":
        yield Finding(
            "journal",
            f"SQLite's journal mode is {mode}, not WAL.",
            "Whoever writes stops all who read.",
            mend("journal"),
        )


def waiting(case: Case) -> Iterator[Finding]:
    """Options of a connection that somebody configured."""
    if case.path is None:
        return
    options, name = connections[case.alias].settings_dict["OPTIONS"], f"DATABASES[{case.alias!r}]"
    if float(options.get("timeout", 5)) < SHORTEST_WAIT:
        yield Finding(
            "waiting",
            f"{name} waits {options['timeout']} s for another writer.",
            "Puts fail while another process writes, and their clips are paid for again.",
            f"Set {name}['OPTIONS']['timeout'] = 0.8.",
        )
    if str(options.get("transaction_mode")).upper() != "IMMEDIATE":
        yield Finding(
            "transactions",
            f"{name} begins its transactions without the writer's lock.",
            "A transaction that reads first and writes then fails at once beside another writer.",
            f"Set {name}['OPTIONS']['transaction_mode'] = 'IMMEDIATE'.",
        )


def indexes(case: Case) -> Iterator[Finding]:
    """Those of the tables."""
    for table, columns in missing_indexes(case.sight):
        yield Finding(
            "indexes",
            f"{table} has no index on {', '.join(columns)}.",
            "Each look-up, eviction or removal by it reads the whole table.",
            mend("indexes"),
        )


def missing_indexes(sight: Sight) -> list[Columns]:
    """What the models have, and the database has not."""
    held = {(table, tuple(columns)) for (table, _), columns in columns_of(sight).items()}
    return sorted(set(_expected()) - held)


def columns_of(sight: Sight) -> dict[tuple[str, str], list[str]]:
    """By table and index."""
    there: dict[tuple[str, str], list[str]] = {}
    for table, index, column in sight.rows(INDEXES[sight.vendor]):
        there.setdefault((table, index), []).append(column)
    return there


def _expected() -> Iterator[Columns]:
    for model in models_here():
        meta = model._meta  # noqa: SLF001 - Django's documented API
        for index in meta.indexes:
            yield meta.db_table, tuple(index.fields)
        for field in meta.local_fields:
            if getattr(field, "db_index", False) and not field.primary_key:
                yield meta.db_table, (field.attname,)


def tables(case: Case) -> Iterator[Finding]:
    """Those of the models."""
    if missing := missing_tables(case.sight):
        yield Finding(
            "tables",
            f"Tables are missing: {', '.join(missing)}.",
            "What they are for is not kept; where it is the entries, all is paid for again.",
            "; ".join(map(mend, ("tables", "triggers", "totals", "tags"))),
        )


def missing_tables(sight: Sight) -> list[str]:
    """By name."""
    expected = {model._meta.db_table for model in models_here()}  # noqa: SLF001 - Django's documented API
    return sorted(expected.difference(tables_in(sight)))


def tables_in(sight: Sight) -> list[str]:
    """Those of the cache that there are."""
    return [name for (name,) in sight.rows(TABLES[sight.vendor])]


def models_here() -> Iterable[type[Model]]:
    """Of the cache."""
    return apps.get_app_config("audiocache").get_models()


def triggers(case: Case) -> Iterator[Finding]:
    """Those that keep totals and tags, and announce replacements."""
    if missing := missing_triggers(case.sight):
        yield Finding(
            "triggers",
            f"Triggers are missing: {', '.join(missing)}.",
            "Totals are no longer kept, so limits do not hold, or others are not told of changes.",
            f"{mend('triggers')}; {mend('totals')}",
        )


def missing_triggers(sight: Sight) -> list[str]:
    """By name."""
    there = {name for (name,) in sight.rows(TRIGGERS[sight.vendor])}
    made = (_TRIGGER.search(statement) for statement in STATEMENTS[sight.vendor])
    return [found[1] for found in made if found and found[1] not in there]
