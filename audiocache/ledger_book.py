"""The ledger's pages: what is written when a call begins, and when it has ended.

Each is one transaction of fixed statements on the driver itself, and raises TierError alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audiocache import ledger_sql
from audiocache.charges import (
    BEGUN,
    CACHE_OFF,
    EXPIRED,
    LOST,
    NO_LIMIT,
    UNLIMITED,
    Bought,
    Limits,
    OverLimit,
    PaidCall,
    Spending,
    Sums,
    periods,
)
from audiocache.clock import HOUR_MS
from audiocache.exceptions import Unwritable
from audiocache.stats import BUCKETS
from audiocache.tiers.sql import dialect_for


class Book:
    """The tables on an alias."""

    def __init__(self, alias: str) -> None:
        # It knows the tables' classes, which Django may not have loaded yet.
        from audiocache.tiers.sql.connection import OwnConnection

        self._database = OwnConnection(alias)
        self._mark = dialect_for(self._database.wrapper.vendor).mark
        self.pause = self._database.pause

    @property
    def outlived_its_tests(self) -> bool:
        """Is the test run over whose tables these were?"""
        return self._database.outlived_its_tests

    def begin(self, call: PaidCall, limits: Limits) -> Spending:
        """What is spent with a call that begins. Raises OverLimit, and writes nothing then."""
        with self._database.transaction():
            cause = self._cause(call)
            spending = self._spend(call, Sums(call.characters, call.cost or 0), limits)
            self._run(ledger_sql.BEGIN, _row(call._replace(cause=cause)))
            self._account(call._replace(cause=""))
        return spending

    def settle(self, begun: PaidCall, ended: PaidCall, bought: Bought | None) -> PaidCall | None:
        """How a call ended, as it is written: once, however often it is told. None: it was."""
        with self._database.transaction():
            known = self._query(ledger_sql.LOOK, [ended.call])
            if known and known[0][0] != BEGUN:
                return None
            cause = known[0][1] if known else self._cause(ended)
            ended = ended._replace(cause=cause if ended.billed else "")
            self._write(begun if known else None, ended)
            self._account(ended, age=self._purchase(ended, bought))
            self._latency(ended)
        return ended

    def spent(self, name: str) -> Sums:
        """Of a day or month, by its name."""
        rows = self._query(ledger_sql.SPENT, [name])
        return Sums(*rows[0]) if rows else Sums()

    def once(self, name: str, value: str) -> bool:
        """True for the one who says a value under a name first."""
        return bool(self._query(ledger_sql.ONCE, [name, value]))

    def forget(self, before: int, rows: int) -> None:
        """Forget so many charges and purchases of before an instant."""
        self._run(ledger_sql.FORGET_CHARGES, [before, rows])
        self._run(ledger_sql.FORGET_PURCHASES, [before, rows])

    # Inside

    def _write(self, begun: PaidCall | None, ended: PaidCall) -> None:
        """The charge itself, and what is spent by the difference."""
        before = Sums(begun.characters, begun.cost or 0) if begun else Sums()
        more = Sums(ended.characters - before.characters, (ended.cost or 0) - before.cost)
        if begun:
            values = [getattr(ended, name) for name in ledger_sql.ENDED]
            self._run(ledger_sql.END, [*values, ended.call])
        else:
            self._run(ledger_sql.BEGIN, _row(ended))
        if any(more):
            self._spend(ended, more, UNLIMITED)
        if begun:
            self._account(begun._replace(cause=""), -1)

    def _spend(self, call: PaidCall, more: Sums, limits: Limits) -> Spending:
        """Add to the day and the month, in this order everywhere: none can deadlock."""
        found = []
        for period, name, most in zip(Limits._fields, periods(call.at), limits, strict=True):
            # The first of a period meets no row whose limit would be looked at.
            fits = most == NO_LIMIT or all(map(int.__le__, more, most))
            rows = self._query(ledger_sql.SPEND, [name, *more, *most]) if fits else []
            if not rows and most == NO_LIMIT:
                raise Unwritable(f"the sum of this {period} would be larger than any column")
            if not rows:
                raise OverLimit(period, self.spent(name))
            found.append(Sums(*rows[0]))
        return Spending(*found)

    def _cause(self, call: PaidCall) -> str:
        """Why it is paid for again; empty: it was not paid for before."""
        rows = self._query(ledger_sql.PURCHASED, [call.source_key])
        if not rows:
            return ""
        [(_, expires, gone)] = rows
        if CACHE_OFF in {call.cause, gone}:
            return CACHE_OFF
        return EXPIRED if expires <= call.at else gone or LOST

    def _purchase(self, call: PaidCall, bought: Bought | None) -> int:
        """Note what was bought; how long (ms) after its first purchase that was."""
        rows = self._query(ledger_sql.PURCHASED, [call.source_key]) if call.billed else []
        age = call.at - rows[0][0] if rows else 0
        lies_there = bool(rows) and rows[0][1] > call.at and not rows[0][2]
        # What is not stored takes nothing from the clip that is.
        if bought is not None and (bought.stored or not lies_there):
            gone = "" if bought.stored else CACHE_OFF
            values = [call.source_key, call.at, call.at, call.cost, bought.size]
            self._run(ledger_sql.PURCHASE, [*values, bought.expires, gone])
        return age

    def _account(self, call: PaidCall, times: int = 1, age: int = 0) -> None:
        cost = call.cost or 0
        sums = (
            1, call.billed and call.cost is None, cost * call.estimated,
            call.units, call.characters, cost,
        )  # fmt: skip
        hour = call.at - call.at % HOUR_MS
        name = ["h", hour, *call.name, call.outcome, call.cause]
        self._run(ledger_sql.ADD_TO_ACCOUNT, [*name, *(times * int(n) for n in sums), age])

    def _latency(self, call: PaidCall) -> None:
        if call.latency_ms is not None:
            bucket = min((call.latency_ms * 1000).bit_length(), BUCKETS - 1)
            hour = call.at - call.at % HOUR_MS
            self._run(ledger_sql.ADD_LATENCY, ["h", hour, call.provider, call.model, bucket, 1])

    def _run(self, sql: str, values: Sequence[Any]) -> None:
        self._database.run(sql.replace("?", self._mark), values)

    def _query(self, sql: str, values: Sequence[Any]) -> list[Any]:
        return self._database.query(sql.replace("?", self._mark), values)


def _row(call: PaidCall) -> list[Any]:
    return list(call[: len(ledger_sql.CHARGE)])
