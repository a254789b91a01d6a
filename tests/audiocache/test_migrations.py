"""The migrations are complete, and go backwards and forwards on both databases."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connections

TABLES = {
    "audiocache_entry",
    "audiocache_tag",
    "audiocache_total",
    "audiocache_removal",
    "audiocache_lease",
    "audiocache_count",
    "audiocache_state",
}

pytestmark = pytest.mark.django_db(
    transaction=True, databases=["default", "audiocache", "audiocache_pg"]
)


def tables(alias: str) -> set[str]:
    names = connections[alias].introspection.table_names()
    return {name for name in names if name.startswith("audiocache_")}


def test_the_models_have_no_change_without_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("alias", ["audiocache", "audiocache_pg"])
def test_they_go_backwards_and_forwards(alias: str) -> None:
    try:
        call_command("migrate", "audiocache", "zero", database=alias, verbosity=0)
        assert tables(alias) == set()
    finally:
        call_command("migrate", "audiocache", database=alias, verbosity=0)
    assert tables(alias) >= TABLES
