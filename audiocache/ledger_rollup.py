"""Folding the accounts' hours into days: a statement for each table, whatever its size."""

# ruff: noqa: S608 - fixed words and names of columns are put together

from __future__ import annotations

from typing import Final, NamedTuple

from django.db import connections

from audiocache import ledger_sql
from audiocache.clock import DAY_MS


class _Table(NamedTuple):
    name: str
    labels: tuple[str, ...]
    """Without resolution and period, which come first."""
    sums: tuple[str, ...]
    longest: str = ""
    """The change of what is no sum."""


TABLES: Final = (
    _Table(
        "audiocache_account", ledger_sql.ACCOUNT[2:], ledger_sql.SUMS, f", {ledger_sql.LONGEST}"
    ),
    _Table("audiocache_call_latency", ledger_sql.LATENCY[2:], ("calls",)),
)


def fold(alias: str, before: int, forget: int) -> int:
    """Hours before an instant into days, days before `forget` away; how many hours were folded.

    In the caller's transaction.
    """
    return sum(_fold(alias, table, before, forget) for table in TABLES)


def _fold(alias: str, table: _Table, before: int, forget: int) -> int:
    old = f"FROM {table.name} WHERE resolution = 'h' AND period < %s"
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT id {old}{_lock(alias)}", [before])
        last = max((row[0] for row in cursor.fetchall()), default=0)
        cursor.execute(_into_days(table), [DAY_MS, before, last])
        # Not what came meanwhile: the next time is its.
        cursor.execute(f"DELETE {old} AND id <= %s", [before, last])
        folded: int = cursor.rowcount
        cursor.execute(f"DELETE FROM {table.name} WHERE resolution = 'd' AND period < %s", [forget])
    return folded


def _lock(alias: str) -> str:
    return " FOR UPDATE" if connections[alias].vendor == "postgresql" else ""


def _into_days(table: _Table) -> str:
    labels = ", ".join(table.labels)
    longest = "age_ms" if table.longest else ""
    columns = [*table.sums, longest] if longest else [*table.sums]
    found = [f"SUM({name})" for name in table.sums] + ([f"MAX({longest})"] if longest else [])
    key = f"resolution, period, {labels}"
    return (
        f"INSERT INTO {table.name} ({key}, {', '.join(columns)})"
        f" SELECT 'd', day, {labels}, {', '.join(found)} FROM"
        f" (SELECT *, period - MOD(period, %s) AS day FROM {table.name}"
        "   WHERE resolution = 'h' AND period < %s AND id <= %s) AS hours"
        f" GROUP BY day, {labels} ON CONFLICT ({key}) DO UPDATE"
        f" SET {ledger_sql.added(table.name, table.sums)}{table.longest}"
    )
