"""A SQLite file that another process holds locked: a verb waits for it once (law 3)."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from django.db import connections

from audiocache import MultiTierAudioCache
from audiocache.exceptions import TierBusy, TierError
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql import patience
from tests.audiocache.conftest import ALIASES, ON_SQLITE, NewCache, NewTier
from tests.factories import entry

pytestmark = ON_SQLITE

WAIT: Final = 0.3
HOLDER: Final = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
file.execute(f"PRAGMA locking_mode={sys.argv[2]}")
file.execute("BEGIN IMMEDIATE")
file.execute("CREATE TABLE held (row)")
print("held", flush=True)
sys.stdin.read()
"""
VERBS: Final[dict[str, Callable[[MultiTierAudioCache], object]]] = {
    "remove": lambda cache: cache.remove("there"),
    "remove all variants": lambda cache: cache.remove("there", all_variants=True),
    "clear": lambda cache: cache.clear(),
    "put": lambda cache: cache.put("new", b"sound"),
    "put_many": lambda cache: cache.put_many([("one", b"sound"), ("two", b"sound")]),
    "cleanup": lambda cache: cache.cleanup_expired(),
    "get_or_create": lambda cache: cache.get_or_create("made", lambda: b"sound"),
}


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a writer, shorter than it is outside of tests."""
    options = connections[ALIASES["sqlite"]].settings_dict["OPTIONS"]
    monkeypatch.setitem(options, "timeout", WAIT)


@contextmanager
def held(mode: str = "NORMAL") -> Iterator[None]:
    """Another process writes, and does not end; EXCLUSIVE: nobody can read, either."""
    connections[ALIASES["sqlite"]].close()
    gc.collect()  # and those of threads that have ended
    path = Path(connections[ALIASES["sqlite"]].settings_dict["NAME"])
    command = [sys.executable, "-c", HOLDER, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.kill()


def wait_ms() -> int:
    raw = connections[ALIASES["sqlite"]].connection
    return int(raw.execute("PRAGMA busy_timeout").fetchone()[0])


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
def test_law_3_a_verb_waits_once_for_who_holds_the_file(
    new_cache: NewCache, new_tier: NewTier, mode: str
) -> None:
    """With each of its statements it would be twenty times as long, for these verbs."""
    cache = new_cache(tiers=[new_tier("memory"), new_tier("sqlite")])
    cache.put("there", b"sound")
    cache.close()  # who has the file open keeps others from having it alone
    with held(mode):
        started = time.monotonic()
        for verb in VERBS.values():
            verb(cache)
        took = time.monotonic() - started
    assert took < 10 * WAIT
    assert cache.recorder.performance()["errors"]["persistent"] >= len(VERBS)


def test_what_was_removed_meanwhile_is_removed_when_the_file_is_free(
    new_cache: NewCache, new_tier: NewTier
) -> None:
    cache = new_cache(tiers=[new_tier("memory"), new_tier("sqlite")])
    cache.put("there", b"sound")
    with held():
        cache.remove("there")
    assert cache.get("there") is None
    assert cache.tiers["persistent"].stats()["entry_count"] == 0


def refusal(tier: PersistentTier) -> TierError:
    with pytest.raises(TierBusy) as caught:
        tier.put_many([entry("a")])
    return caught.value


def test_who_gets_the_lock_ends_it_for_all(new_tier: NewTier) -> None:
    tier = new_tier("sqlite")
    tier.check()
    with held():
        assert "locked" in str(refusal(tier))
        before = connections[ALIASES["sqlite"]].connection
        refusal(tier)
        assert wait_ms() == patience.LOOK_MS
        assert connections[ALIASES["sqlite"]].connection is before
    assert tier.put_many([entry("a")])
    tier.check()
    assert wait_ms() == WAIT * 1000


def test_after_a_while_somebody_waits_again(
    new_tier: NewTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.2)
    tier = new_tier("sqlite")
    with held():
        refusal(tier)
        until = time.monotonic() + 10
        while wait_ms() != WAIT * 1000:
            assert time.monotonic() < until
            tier.check()
