"""Tests that want the cache's own database, and one that has not said so: `-p real_tiers.py`."""

from __future__ import annotations

from django.db import connections
from django.test import TestCase, TransactionTestCase

from audiocache import get_audio_cache


def stored(text: str) -> bytes | None:
    """What the tiers below memory have."""
    cache = get_audio_cache()
    cache.tiers["memory"].clear()
    return cache.get(text)


class Declared(TestCase):
    databases = {"default", "audiocache"}  # noqa: RUF012 - as Django's users write it

    def test_it_is_the_test_runs_and_each_test_finds_it_empty(self) -> None:
        assert connections["audiocache"].settings_dict["NAME"].startswith("file:memorydb_")
        assert stored("Hello") is None
        get_audio_cache().put("Hello", b"sound")
        assert stored("Hello") == b"sound"

    def test_so_does_the_next(self) -> None:
        self.test_it_is_the_test_runs_and_each_test_finds_it_empty()


class DeclaredWithTransactions(TransactionTestCase):
    databases = {"default", "audiocache"}  # noqa: RUF012 - as Django's users write it

    def test_it_is_there(self) -> None:
        get_audio_cache().put("Hello", b"sound")
        assert stored("Hello") == b"sound"


class Undeclared(TestCase):
    def test_it_is_told_what_to_declare(self) -> None:
        for verb in (get_audio_cache().get, get_audio_cache().remove):
            with self.assertRaisesMessage(AssertionError, "Add 'audiocache' to"):
                verb("Never stored")
