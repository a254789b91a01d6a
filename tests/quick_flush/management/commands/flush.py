"""`flush` as a test needs it: every row that a test can have made, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

KEPT: Final = {"django_content_type", "auth_permission", "django_migrations"}
"""They are what migrations made of them."""


class Command(BaseCommand):
    """Takes the options of Django's own, and needs only the first."""

    stealth_options = (
        "database", "interactive", "reset_sequences", "allow_cascade", "inhibit_post_migrate",
    )  # fmt: skip

    def handle(self, *args: Any, database: str, **options: Any) -> None:
        connection = connections[database]
        statements = [f"DELETE FROM {name}" for name in _tables(connection)]
        with transaction.atomic(using=database), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("; ".join(statements))
            else:
                for statement in statements:
                    cursor.execute(statement)


def _tables(connection: BaseDatabaseWrapper) -> list[str]:
    return _tables_of(connection.alias, str(connection.settings_dict["NAME"]))


@cache
def _tables_of(alias: str, name: str) -> list[str]:
    """Sorted, so that the totals are emptied after the entries whose triggers keep them."""
    connection = connections[alias]
    names = connection.introspection.django_table_names(only_existing=True)
    return [connection.ops.quote_name(name) for name in sorted(set(names) - KEPT)]
