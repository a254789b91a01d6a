"""The database tier behind a pooler that changes the server connection after every transaction."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections

from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES, OF_ONE_SESSION, ON_POSTGRESQL
from tests.audiocache.tiers import test_contract
from tests.factories import FakeClock, entry
from tests.proxies.transaction_pooler import TransactionPooler

ALIAS = ALIASES["postgresql"]
CONTRACT: list[Callable[..., None]] = [
    test
    for name, test in vars(test_contract).items()
    if name.startswith("test_") and {*inspect.signature(test).parameters} <= {"any_tier", "clock"}
]


@pytest.fixture
def pooler(monkeypatch: pytest.MonkeyPatch) -> Iterator[TransactionPooler]:
    """Between the tests' connections and the run's server."""
    direct = connections[ALIAS].settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**direct)
    connections[ALIAS].close()
    with TransactionPooler(url) as between, monkeypatch.context() as patched:
        patched.setitem(direct, "PORT", between.port)
        yield between
        connections[ALIAS].close()


@ON_POSTGRESQL
def test_the_contract_holds_behind_a_pooler_and_nothing_is_left_in_a_session(
    pooler: TransactionPooler,
) -> None:
    """All of it at once: each test by itself would empty all tables."""
    assert len(CONTRACT) > 15
    for test in CONTRACT:
        clock = FakeClock()
        tier = PersistentTier(ALIAS, max_bytes=2**20, clock=clock)
        given: dict[str, Any] = {"any_tier": tier, "clock": clock}
        test(**{name: given[name] for name in inspect.signature(test).parameters})
        tier.clear()
    assert pooler.transactions > 100
    assert pooler.leftovers() == []


@ON_POSTGRESQL
def test_threads_behind_a_pooler_find_their_own(
    pooler: TransactionPooler, in_threads: Callable[[int, Callable[[int], Any]], list[Any]]
) -> None:
    tier = PersistentTier(ALIAS, max_entries=500)
    tier.check()  # with this thread's connection the pool outlives the others

    def use(number: int) -> bool:
        made = [entry(f"{number} {place}", tags=(f"t{number}",)) for place in range(20)]
        tier.put_many(made)
        found = tier.get_many([one.key for one in made])
        tier.touched({made[0].key: 1}, made[0].created)
        gone = tier.remove_group("tags", f"t{number}")
        return {one.audio for one in found.values()} == {one.audio for one in made} and gone == 20

    assert in_threads(6, use) == [True] * 6
    assert pooler.leftovers() == []


@OF_ONE_SESSION
@ON_POSTGRESQL
def test_the_pooler_is_what_it_says(pooler: TransactionPooler) -> None:
    """Another connection with each transaction, and what a session kept is seen."""
    connection = connections[ALIAS]
    connection.ensure_connection()
    raw = connection.connection
    backends = [raw.execute("SELECT pg_backend_pid()").fetchone()[0] for _ in range(6)]
    assert all(one != after for one, after in pairwise(backends))
    raw.execute("SET lock_timeout = 5")
    assert pooler.leftovers() == ["setting lock_timeout"]
