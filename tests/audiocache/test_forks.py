"""A forked child has locks and connections of its own, and leaves the parent's alone.

Each case runs in a process of its own: forks of a process with threads warn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE

START = """
import gc, json, os, signal, sys, threading, time
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["audiocache"], USE_TZ=True, **json.loads(sys.argv[1]))
django.setup()
from django.db import connections, transaction
from audiocache import builder, database, get_audio_cache, own_file
signal.alarm(30)

def forked(work):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # no child inherits one
        status = 1
        try:
            work()
            status = 0
        finally:
            gc.collect()
            os._exit(status)
    return child

def wait(*children):
    for child in children:
        assert os.waitpid(child, 0)[1] == 0, "the child failed or hung"

def in_thread(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

def fill():
    cache = get_audio_cache()
    return [cache.put(f"phrase {n}", b"sound %d" % n) for n in range(20)]

def all_hits(times=200):
    tier = get_audio_cache().tiers["persistent"]
    for n in range(times):
        entry = tier.get(keys[n % 20])
        assert entry.audio == b"sound %d" % (n % 20)

def still_works():
    all_hits()
    assert get_audio_cache().tiers["persistent"].put_many(
        list(get_audio_cache().tiers["persistent"].get_many(keys).values())) == set(keys)
"""

SHARED = """
keys = fill()
held = connections[database.default_alias()]
session = held.connection

def use():
    all_hits()
    still_works()
    connections.close_all()  # must not close the parent's

children = [forked(use) for _ in range(4)]
still_works()
wait(*children)
still_works()
if held.vendor == "postgresql":
    assert connections[database.default_alias()].connection is session
"""

IN_A_TRANSACTION = """
keys = fill()
alias = database.default_alias()

def use():
    assert not connections[alias].in_atomic_block
    all_hits()

with transaction.atomic(using=alias):
    child = forked(use)
    still_works()
    wait(child)
    still_works()
still_works()
"""

LOCKS = """
holds, done = threading.Event(), threading.Event()

def hold():
    with builder._lock, database._lock, own_file._lock:
        holds.set()
        done.wait()

in_thread(hold)
holds.wait()

def use():
    global keys
    keys = fill()
    all_hits()

wait(forked(use))
done.set()
use()
"""

FILE_LOCK = """
holds, done = threading.Event(), threading.Event()
set_aside = own_file.legacy.set_aside

def slow(path):
    holds.set()
    done.wait()
    set_aside(path)

own_file.legacy.set_aside = slow
keys = []
first = in_thread(lambda: keys.extend(fill()))
holds.wait()

def use():
    own_file.legacy.set_aside = set_aside
    global keys
    keys = fill()
    all_hits()
    time.sleep(1)

children = [forked(use), forked(use)]
time.sleep(0.2)
done.set()
first.join()
wait(*children)
all_hits()
"""

HELD_BY_THE_ONE_WHO_FORKS = """
def use():
    with builder._lock:
        pass
    in_thread(lambda: builder._lock.__enter__()).join(0.2)

with builder._lock:
    child = forked(use)
    with builder._lock:
        wait(child)
"""


def run(program: str, given: dict[str, Any], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START + program, json.dumps(given, default=str)],
        capture_output=True, text=True, check=False, cwd=folder, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def on_sqlite(folder: Path) -> dict[str, Any]:
    default = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "site.sqlite3")}
    return {"DATABASES": {"default": default}, "AUDIOCACHE": {"BACKEND": "sqlite"}}


def on_postgresql(folder: Path) -> dict[str, Any]:
    given = on_sqlite(folder)
    known = connections["audiocache_pg"].settings_dict
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS")
    given["DATABASES"]["clips"] = {**{name: known[name] for name in names}, "CONN_MAX_AGE": None}
    given["AUDIOCACHE"]["PERSISTENT_DATABASE"] = "clips"
    return given


DATABASES = [
    pytest.param(on_sqlite, marks=ON_SQLITE, id="sqlite"),
    pytest.param(on_postgresql, marks=ON_POSTGRESQL, id="postgresql"),
]


@pytest.mark.parametrize("site", DATABASES)
def test_after_a_fork_parent_and_children_find_everything(
    tmp_path: Path, site: Callable[[Path], dict[str, Any]]
) -> None:
    run(SHARED, site(tmp_path), tmp_path)


@ON_POSTGRESQL
def test_a_child_is_not_in_the_transaction_of_its_parent(tmp_path: Path) -> None:
    run(IN_A_TRANSACTION, on_postgresql(tmp_path), tmp_path)


@pytest.mark.parametrize("program", [LOCKS, FILE_LOCK], ids=["locks", "the file's lock"])
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(
    tmp_path: Path, program: str
) -> None:
    run(program, on_sqlite(tmp_path), tmp_path)


def test_who_forks_while_it_holds_a_lock_gives_it_back_on_both_sides(tmp_path: Path) -> None:
    run(HELD_BY_THE_ONE_WHO_FORKS, on_sqlite(tmp_path), tmp_path)
