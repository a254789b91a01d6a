"""The statements of the ledger. A question mark stands for the driver's placeholder."""

# ruff: noqa: S608 - fixed words and names of columns are put together

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

CHARGE: Final = (
    "call", "at", "source_key", "namespace", "provider", "model", "voice", "number",
    "units", "unit", "characters", "cost", "estimated", "cause", "outcome", "latency_ms",
)  # fmt: skip
"""The first columns of a PaidCall, in its order."""
ENDED: Final = ("units", "characters", "cost", "estimated", "cause", "outcome", "latency_ms")
"""What a call's end changes."""
ACCOUNT: Final = (
    "resolution", "period", "provider", "model", "voice", "outcome", "cause",
)  # fmt: skip
SUMS: Final = ("calls", "unpriced", "estimated", "units", "characters", "cost")
LATENCY: Final = ("resolution", "period", "provider", "model", "bucket")


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"


def added(table: str, sums: Sequence[str]) -> str:
    """The changes of an upsert that adds."""
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)


LONGEST: Final = (
    "age_ms = CASE WHEN excluded.age_ms > audiocache_account.age_ms"
    " THEN excluded.age_ms ELSE audiocache_account.age_ms END"
)
ADD_TO_ACCOUNT: Final = (
    f"{_insert('audiocache_account', (*ACCOUNT, *SUMS, 'age_ms'))} ON CONFLICT"
    f" ({', '.join(ACCOUNT)}) DO UPDATE SET {added('audiocache_account', SUMS)}, {LONGEST}"
)
ADD_LATENCY: Final = (
    f"{_insert('audiocache_call_latency', (*LATENCY, 'calls'))} ON CONFLICT"
    f" ({', '.join(LATENCY)}) DO UPDATE SET {added('audiocache_call_latency', ('calls',))}"
)
BEGIN: Final = f"{_insert('audiocache_charge', CHARGE)} ON CONFLICT (call) DO NOTHING"
LOOK: Final = "SELECT outcome, cause FROM audiocache_charge WHERE call = ?"
END: Final = (
    f"UPDATE audiocache_charge SET {', '.join(f'{name} = ?' for name in ENDED)} WHERE call = ?"
)
SPEND: Final = (
    f"{_insert('audiocache_spent', ('name', 'characters', 'cost'))} ON CONFLICT (name) DO UPDATE"
    f" SET {added('audiocache_spent', ('characters', 'cost'))}"
    " WHERE audiocache_spent.characters + excluded.characters <= ?"
    " AND audiocache_spent.cost + excluded.cost <= ? RETURNING characters, cost"
)
SPENT: Final = "SELECT characters, cost FROM audiocache_spent WHERE name = ?"
PURCHASED: Final = "SELECT first, expires, gone FROM audiocache_purchase WHERE source_key = ?"
PURCHASE: Final = (
    "INSERT INTO audiocache_purchase"
    " (source_key, first, paid, times, cost, size, expires, gone, gone_at)"
    " VALUES (?, ?, ?, 1, ?, ?, ?, ?, NULL) ON CONFLICT (source_key) DO UPDATE SET"
    " paid = excluded.paid, times = audiocache_purchase.times + 1, cost = excluded.cost,"
    " size = excluded.size, expires = excluded.expires, gone = excluded.gone, gone_at = NULL"
)
ONCE: Final = (
    "INSERT INTO audiocache_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE"
    " SET value = excluded.value WHERE audiocache_state.value <> excluded.value RETURNING name"
)
FORGET_CHARGES: Final = (
    "DELETE FROM audiocache_charge WHERE id IN"
    " (SELECT id FROM audiocache_charge WHERE at < ? ORDER BY at LIMIT ?)"
)
FORGET_PURCHASES: Final = (
    "DELETE FROM audiocache_purchase WHERE source_key IN"
    " (SELECT source_key FROM audiocache_purchase WHERE paid < ? ORDER BY paid LIMIT ?)"
)


def gone(number: int, lock: str) -> str:
    """Note why so many sources are gone; parameters: why, when, the sources."""
    marks = ", ".join("?" * number)
    return (
        "UPDATE audiocache_purchase SET gone = ?, gone_at = ? WHERE source_key IN"
        f" (SELECT source_key FROM audiocache_purchase WHERE source_key IN ({marks}){lock})"
    )
