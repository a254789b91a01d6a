"""The ledger on both databases: what is spent is exact, whatever happens to those who spend it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from audiocache import CacheConfig
from audiocache.charges import (
    CACHE_OFF,
    EVICTED,
    EXPIRED,
    LOST,
    NO_LIMIT,
    REMOVED,
    UNLIMITED,
    Bought,
    Limits,
    OverLimit,
    PaidCall,
    Sums,
    new_call,
)
from audiocache.clock import DAY_MS
from audiocache.fields import LARGEST
from audiocache.ledger import Ledger
from audiocache.models import Account, CallLatency, Charge, Purchase, Spent, State
from audiocache.pulse import pulse
from tests.audiocache.conftest import ALIASES
from tests.factories import FakeClock

HOUR_MS = 3_600_000
NOON = 20_000 * DAY_MS + 12 * HOUR_MS


@pytest.fixture
def alias(sql_kind: str) -> str:
    return ALIASES[sql_kind]


@pytest.fixture
def ledger(alias: str, clock: FakeClock) -> Iterator[Ledger]:
    yield Ledger(alias, clock, kept_days=100_000)
    pulse.stop()


def a_call(source: str = "s1", at: int = NOON, **fields: Any) -> PaidCall:
    given = {"units": 10, "unit": "characters", "characters": 10, "cost": 150, **fields}
    return PaidCall(
        call=new_call(), at=at, source_key=source, namespace="", provider="acme", model="m1",
        voice="alto", number=1, estimated=False, **given,
    )  # fmt: skip


def ended(call: PaidCall, **fields: Any) -> PaidCall:
    return call._replace(**{"outcome": "ok", "latency_ms": 200, **fields})


def failed(call: PaidCall) -> PaidCall:
    nothing = {"units": 0, "characters": 0, "cost": 0, "billed": False}
    return ended(call, outcome="provider_down", **nothing)


def buy(ledger: Ledger, call: PaidCall, life: int = DAY_MS, stored: bool = True) -> None:
    ledger.begin(call)
    ledger.settle(call, ended(call), Bought(1_000, call.at + life, stored))


def spent(alias: str) -> dict[str, tuple[int, int]]:
    rows = Spent.objects.using(alias).all()
    return {row.name: (row.characters, row.cost) for row in rows}


def accounts(alias: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    rows = Account.objects.using(alias).exclude(calls=0)
    return {(row.outcome, row.cause): (row.calls, row.units, row.cost) for row in rows}


def test_a_call_that_has_begun_is_spent(ledger: Ledger, alias: str) -> None:
    spending = ledger.begin(a_call())
    assert spending is not None
    assert spending.day == spending.month == Sums(10, 150)
    assert spent(alias) == {"2024-10-04": (10, 150), "2024-10": (10, 150)}
    assert accounts(alias) == {("begun", ""): (1, 10, 150)}
    [charge] = Charge.objects.using(alias)
    assert (charge.outcome, charge.cost, charge.latency_ms) == ("begun", 150, None)


def test_what_has_ended_is_spent_as_it_was_billed(ledger: Ledger, alias: str) -> None:
    call = a_call()
    ledger.begin(call)
    ledger.settle(call, ended(call, units=12, cost=180, estimated=True), Bought(1_000, NOON + 5))
    assert spent(alias) == {"2024-10-04": (10, 180), "2024-10": (10, 180)}
    assert accounts(alias) == {("ok", ""): (1, 12, 180)}
    [charge] = Charge.objects.using(alias)
    assert (charge.outcome, charge.units, charge.cost) == ("ok", 12, 180)
    assert (charge.estimated, charge.latency_ms) == (True, 200)
    [latency] = CallLatency.objects.using(alias)
    assert (latency.bucket, latency.calls) == (18, 1)
    [bought] = Purchase.objects.using(alias)
    assert (bought.first, bought.paid, bought.times, bought.cost) == (NOON, NOON, 1, 180)
    assert (bought.size, bought.expires) == (1_000, NOON + 5)


def test_what_failed_costs_nothing(ledger: Ledger, alias: str) -> None:
    call = a_call()
    ledger.begin(call)
    ledger.settle(call, failed(call))
    assert spent(alias)["2024-10"] == (0, 0)
    assert accounts(alias) == {("provider_down", ""): (1, 0, 0)}
    assert not Purchase.objects.using(alias).exists()


def test_what_is_settled_twice_counts_once(ledger: Ledger, alias: str) -> None:
    call = a_call()
    ledger.begin(call)
    for _ in range(3):
        ledger.settle(call, ended(call))
    assert spent(alias)["2024-10"] == (10, 150)
    assert accounts(alias) == {("ok", ""): (1, 10, 150)}


def test_a_sum_that_no_column_holds_stops_nobody(ledger: Ledger, alias: str) -> None:
    for _ in range(2):
        call = a_call()
        ledger.begin(call)
        ledger.settle(call, ended(call, characters=LARGEST // 2 + 1, cost=10))
    assert spent(alias)["2024-10"] == (LARGEST // 2 + 1 + 10, 160)
    assert ledger.owed == 0


def test_a_call_stands_on_the_day_on_which_it_began(ledger: Ledger, alias: str) -> None:
    late = a_call(at=NOON + 12 * HOUR_MS - 1)
    ledger.begin(late)
    ledger.begin(a_call(at=NOON + 12 * HOUR_MS))
    ledger.settle(late, ended(late, cost=100))
    assert spent(alias) == {"2024-10-04": (10, 100), "2024-10-05": (10, 150), "2024-10": (20, 250)}
    hours = Account.objects.using(alias).exclude(calls=0).order_by("period")
    assert [row.outcome for row in hours] == ["ok", "begun"]


def test_a_price_that_nobody_knows_is_none(ledger: Ledger, alias: str) -> None:
    call = a_call(cost=None)
    ledger.begin(call)
    ledger.settle(call, ended(call))
    [account] = Account.objects.using(alias).exclude(calls=0)
    assert (account.unpriced, account.cost, account.characters) == (1, 0, 10)
    [charge] = Charge.objects.using(alias)
    assert charge.cost is None


class TestLimits:
    @pytest.mark.parametrize(
        ("limits", "period"),
        [
            (Limits(day=NO_LIMIT._replace(characters=25)), "day"),
            (Limits(day=NO_LIMIT._replace(cost=300)), "day"),
            (Limits(month=NO_LIMIT._replace(characters=20)), "month"),
            (Limits(month=NO_LIMIT._replace(cost=449)), "month"),
        ],
    )
    def test_a_limit_is_not_passed(
        self, ledger: Ledger, alias: str, limits: Limits, period: str
    ) -> None:
        assert ledger.begin(a_call(), limits)
        assert ledger.begin(a_call(), limits)
        with pytest.raises(OverLimit) as caught:
            ledger.begin(a_call(), limits)
        assert (caught.value.period, caught.value.spent) == (period, Sums(20, 300))
        assert spent(alias) == {"2024-10-04": (20, 300), "2024-10": (20, 300)}
        assert Charge.objects.using(alias).count() == 2

    def test_the_first_call_of_a_period_may_be_too_dear(self, ledger: Ledger, alias: str) -> None:
        with pytest.raises(OverLimit):
            ledger.begin(a_call(), Limits(month=Sums(9, 10**9)))
        assert spent(alias) == {}

    def test_what_failed_is_given_back(self, ledger: Ledger) -> None:
        limits = Limits(day=Sums(10, 10**9))
        call = a_call()
        ledger.begin(call, limits)
        ledger.settle(call, failed(call))
        assert ledger.begin(a_call(), limits)

    def test_many_threads_spend_it_exactly(self, ledger: Ledger, alias: str) -> None:
        limits = Limits(day=Sums(200, 10**9))

        def begin(_: int) -> bool:
            try:
                return ledger.begin(a_call(), limits) is not None
            except OverLimit:
                return False
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            made = sum(pool.map(begin, range(40)))
        assert (made, spent(alias)["2024-10-04"][0]) == (20, 200)


class TestPaidAgain:
    def again(self, ledger: Ledger, at: int = NOON + HOUR_MS, cause: str = "") -> str:
        call = a_call(at=at, cause=cause)
        ledger.begin(call)
        ledger.settle(call, ended(call), Bought(1_000, at + DAY_MS))
        [(_, found)] = [name for name in accounts(ledger._book._database.alias) if name[1]]
        return found

    def test_what_was_never_bought_is_not_paid_again(self, ledger: Ledger, alias: str) -> None:
        buy(ledger, a_call("s1"))
        buy(ledger, a_call("s2"))
        assert accounts(alias) == {("ok", ""): (2, 20, 300)}

    def test_it_had_expired(self, ledger: Ledger) -> None:
        buy(ledger, a_call(), life=HOUR_MS)
        assert self.again(ledger) == EXPIRED

    @pytest.mark.parametrize("why", [EVICTED, REMOVED])
    def test_it_is_known_why_it_is_gone(self, ledger: Ledger, alias: str, why: str) -> None:
        buy(ledger, a_call())
        Purchase.objects.using(alias).update(gone=why, gone_at=NOON + 1)
        assert self.again(ledger) == why

    def test_what_would_have_expired_by_now_has_expired(self, ledger: Ledger, alias: str) -> None:
        buy(ledger, a_call(), life=HOUR_MS)
        Purchase.objects.using(alias).update(gone=EVICTED)
        assert self.again(ledger) == EXPIRED

    def test_nobody_knows(self, ledger: Ledger) -> None:
        buy(ledger, a_call())
        assert self.again(ledger) == LOST

    def test_it_was_not_to_be_stored(self, ledger: Ledger) -> None:
        buy(ledger, a_call(), stored=False)
        assert self.again(ledger) == CACHE_OFF

    def test_it_is_to_be_made_anew(self, ledger: Ledger) -> None:
        buy(ledger, a_call())
        assert self.again(ledger, cause=CACHE_OFF) == CACHE_OFF

    def test_a_retry_of_a_first_purchase_is_none(self, ledger: Ledger, alias: str) -> None:
        refused = a_call()
        ledger.begin(refused)
        ledger.settle(refused, ended(refused, outcome="not_audio"))
        buy(ledger, a_call())
        assert set(accounts(alias)) == {("not_audio", ""), ("ok", "")}

    def test_a_call_that_cost_nothing_is_none(self, ledger: Ledger, alias: str) -> None:
        buy(ledger, a_call())
        call = a_call()
        ledger.begin(call)
        ledger.settle(call, failed(call))
        assert set(accounts(alias)) == {("ok", ""), ("provider_down", "")}
        assert Charge.objects.using(alias).get(outcome="provider_down").cause == ""

    def test_its_age_is_that_of_the_first_purchase(self, ledger: Ledger, alias: str) -> None:
        for hours in (0, 2, 5):
            buy(ledger, a_call(at=NOON + hours * HOUR_MS), life=HOUR_MS)
        ages = {
            row.period: row.age_ms for row in Account.objects.using(alias).filter(cause=EXPIRED)
        }
        assert ages == {NOON + 2 * HOUR_MS: 2 * HOUR_MS, NOON + 5 * HOUR_MS: 5 * HOUR_MS}
        assert Purchase.objects.using(alias).get().times == 3


class TestTrouble:
    """The tables are gone for a while: the error is a real database's."""

    @pytest.fixture
    def trouble(self, alias: str) -> Iterator[Any]:
        names = ("audiocache_charge", "audiocache_purchase")

        def rename(before: str, after: str) -> None:
            with connections[alias].cursor() as cursor:
                for name in names:
                    cursor.execute(f"ALTER TABLE {name}{before} RENAME TO {name}{after}")

        rename("", "_away")
        away = [True]

        def end() -> None:
            if away:
                away.clear()
                rename("_away", "")

        yield end
        end()

    def test_calls_go_on_and_are_owed(self, ledger: Ledger, alias: str, trouble: Any) -> None:
        call = a_call()
        assert ledger.begin(call, Limits(day=Sums(10, 10**9))) is None
        ledger.settle(call, ended(call), Bought(1_000, NOON + 5))
        assert ledger.owed == 1
        ledger.pay()
        assert ledger.owed == 1
        trouble()
        ledger.pay()
        assert ledger.owed == 0
        assert spent(alias)["2024-10"] == (10, 150)
        assert accounts(alias) == {("ok", ""): (1, 10, 150)}

    def test_much_is_paid_a_little_at_a_time(
        self, ledger: Ledger, alias: str, trouble: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each turn of the pulse pays something, and not more when its time is over."""
        for name in ("s1", "s2", "s3"):
            ledger.settle(a_call(name), ended(a_call(name)))
        trouble()
        ledger._circuit.worked()
        monkeypatch.setattr(pulse, "allowance", lambda: 0.0)
        left = [(ledger._beat(), ledger.owed) for _ in range(3)]
        assert left == [(0.0, 2), (0.0, 1), (None, 0)]
        assert spent(alias)["2024-10"] == (30, 450)

    @pytest.mark.parametrize("cost", [LARGEST, LARGEST + 1, 10**30])
    def test_one_that_can_never_be_written_holds_up_no_other(
        self, ledger: Ledger, alias: str, trouble: Any, cost: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        first, absurd, last = a_call("s1"), a_call("s2"), a_call("s3")
        for call in (first, ended(absurd, cost=cost), last):
            ledger.settle(call, ended(call, cost=call.cost))
        assert ledger.owed == 3
        trouble()
        ledger.pay()
        assert (ledger.owed, spent(alias)["2024-10"]) == (0, (20, 300))
        assert "a charge is lost, for it cannot be written" in caplog.text

    def test_the_pulse_pays_at_the_end(self, ledger: Ledger, alias: str, trouble: Any) -> None:
        begun = a_call()
        ledger.settle(begun, ended(begun))
        trouble()
        ledger._circuit.worked()
        pulse.stop()
        assert (ledger.owed, spent(alias)["2024-10"]) == (0, (10, 150))

    def test_who_asks_is_told_that_there_is_no_telling(self, alias: str, ledger: Ledger) -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("ALTER TABLE audiocache_spent RENAME TO audiocache_spent_away")
        try:
            assert ledger.spending(NOON) is None
        finally:
            with connections[alias].cursor() as cursor:
                cursor.execute("ALTER TABLE audiocache_spent_away RENAME TO audiocache_spent")


def test_a_rollback_of_the_caller_loses_no_charge(ledger: Ledger, alias: str) -> None:
    with transaction.atomic(using="default"):
        buy(ledger, a_call())
        transaction.set_rollback(True, using="default")
    assert spent(alias)["2024-10"] == (10, 150)


def test_one_of_all_says_it_once_a_day(ledger: Ledger, alias: str) -> None:
    other = Ledger(alias)
    assert [one.once("warned", "monday") for one in (ledger, other, ledger)] == [True, False, False]
    assert other.once("warned", "tuesday")
    assert State.objects.using(alias).get(name="warned").value == "tuesday"


def test_what_is_older_than_it_is_kept_is_forgotten(alias: str, clock: FakeClock) -> None:
    ledger = Ledger(alias, clock, kept_days=30)
    buy(ledger, a_call("old", at=clock() - 31 * DAY_MS))
    ledger._trim_at = 0.0
    buy(ledger, a_call("new", at=clock() - 29 * DAY_MS))
    assert [charge.source_key for charge in Charge.objects.using(alias)] == ["new"]
    assert [bought.source_key for bought in Purchase.objects.using(alias)] == ["new"]


def test_a_cache_without_a_database_has_none(clock: FakeClock) -> None:
    assert Ledger.of(CacheConfig(backend="memory"), clock) is None
    assert Limits() == UNLIMITED
