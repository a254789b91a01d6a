"""One at a time, by a row in the cache's database."""

from __future__ import annotations

import threading

import pytest
from django.db import connections

from audiocache import database
from audiocache.leases import only_one
from audiocache.models import Lease

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])


def test_the_second_is_refused_until_the_first_has_ended() -> None:
    with only_one("work") as first, only_one("work") as second, only_one("other") as other:
        assert (first, second, other) == (True, False, True)
    with only_one("work") as again:
        assert again


def test_a_lease_of_a_dead_owner_is_taken_over_at_its_deadline() -> None:
    Lease.objects.create(name="work", owner="dead", deadline=1)
    with only_one("work") as held:
        assert held
        assert Lease.objects.get(name="work").owner != "dead"


def test_a_late_owner_does_not_give_back_what_another_holds() -> None:
    with only_one("work", seconds=0.001) as first:
        threading.Event().wait(0.01)
        with only_one("work") as second:
            assert (first, second) == (True, True)
    assert not Lease.objects.filter(name="work").exists()


def test_of_sixteen_at_once_one_holds_it() -> None:
    together, held = threading.Barrier(16), []

    def work() -> None:
        together.wait()
        with only_one("work") as mine:
            held.append(mine)
            together.wait()
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == [False] * 15 + [True]


def test_when_the_database_cannot_say_the_work_goes_ahead() -> None:
    with connections[database.default_alias()].cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_lease RENAME TO away")
        try:
            with only_one("work") as held:
                assert held
        finally:
            cursor.execute("ALTER TABLE away RENAME TO audiocache_lease")


def test_when_the_database_breaks_meanwhile_the_work_is_done_all_the_same() -> None:
    with connections[database.default_alias()].cursor() as cursor:
        try:
            with only_one("work") as held:
                assert held
                cursor.execute("ALTER TABLE audiocache_lease RENAME TO away")
        finally:
            cursor.execute("ALTER TABLE away RENAME TO audiocache_lease")
    Lease.objects.all().delete()
