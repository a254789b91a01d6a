"""A cache whose table is SQLite, then PostgreSQL, for tests of what speech keeps there."""

from __future__ import annotations

import pytest

ALIASES = [
    pytest.param(alias, marks=pytest.mark.django_db(transaction=True, databases=["default", alias]))
    for alias in ("audiocache", "audiocache_pg")
]
