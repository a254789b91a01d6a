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
import gc, json, os, signal, subprocess, sys, threading, time, traceback
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["audiocache"], USE_TZ=True, **json.loads(sys.argv[1]))
django.setup()
from django.db import connections, transaction
from audiocache import builder, database, get_audio_cache, own_file, pulse
signal.alarm(30)

def forked(work):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # no child inherits one
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
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

IN_A_TRANSACTION_ON_SQLITE = """
import logging
logging.disable()  # it is told once, rightly
keys = fill()
alias = database.default_alias()

def use():
    tier = get_audio_cache().tiers["persistent"]
    assert get_audio_cache().get("phrase 1") == b"sound 1"  # from memory
    get_audio_cache().put("of the child", b"sound")
    assert get_audio_cache().get("never stored") is None
    backends = get_audio_cache().get_comprehensive_stats()["backends"]
    assert backends["persistent"]["available"] is False

with transaction.atomic(using=alias):
    get_audio_cache().put("in the transaction", b"sound")
    wait(forked(use), forked(use))
    still_works()
assert get_audio_cache().tiers["persistent"].get(get_audio_cache().clip("in the transaction").key)
assert not get_audio_cache().tiers["persistent"].get(get_audio_cache().clip("of the child").key)
wait(forked(still_works))
"""

COUNTED = """
import multiprocessing
keys = fill()
assert get_audio_cache().get_installation_stats()["memory.puts"] == 20

def use():
    assert get_audio_cache().get("phrase 1") == b"sound 1"  # memory, which the fork copied

def leave():  # as an interpreter does
    use()
    pulse.finish()

wait(*[forked(leave) for _ in range(3)])
child = multiprocessing.get_context("fork").Process(target=fill)
child.start()
child.join()
counts = get_audio_cache().get_installation_stats()
assert (counts["memory.hits"], counts["memory.puts"]) == (3, 40), counts
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

OPEN_ELSEWHERE = """
keys = fill()
opened, done = threading.Event(), threading.Event()
parted, closed = os.pipe(), os.pipe()
path = connections[database.default_alias()].settings_dict["NAME"]

def hold_open():
    all_hits(1)
    opened.set()
    done.wait()
    connections.close_all()

holder = in_thread(hold_open)
opened.wait()

def use():
    all_hits(1)
    os.write(parted[1], b".")
    os.read(closed[0], 1)  # this process alone has the file now
    visit()
    get_audio_cache().put("late", b"sound")
    assert "late" in visit()

def visit():
    look = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(" \\
        "'SELECT group_concat(text) FROM audiocache_entry').fetchone()[0])"
    return subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True,
                          check=True).stdout

child = forked(use)
os.read(parted[0], 1)
done.set()
holder.join()
connections.close_all()
os.write(closed[1], b".")
wait(child)
"""

WRITTEN_ELSEWHERE = """
keys = fill()
stop = threading.Event()

def write():
    n = 0
    while not stop.is_set():
        n += 1
        get_audio_cache().put(f"other {n % 50}", b"s" * 100_000)
    connections.close_all()

writers = [in_thread(write) for _ in range(2)]

def use():
    for n in range(2):
        assert get_audio_cache().tiers["persistent"].get(get_audio_cache().put(f"child {n}", b"s"))
    assert get_audio_cache().recorder.performance()["errors"]["persistent"] == 0

for _ in range(5):
    time.sleep(0.01)
    wait(forked(use))
stop.set()
for writer in writers:
    writer.join()
still_works()
"""

CLOSED_ELSEWHERE = """
import sqlite3
closing, closed = threading.Event(), []

class Slow(sqlite3.Connection):
    def close(self):
        closing.set()
        time.sleep(0.5)
        super().close()
        closed.append(threading.get_ident())

keys = fill()
get_audio_cache().close()
connections[database.default_alias()].settings_dict["OPTIONS"]["factory"] = Slow

def visit():
    all_hits(1)
    get_audio_cache().tiers["persistent"].release()

visitor = in_thread(visit)
assert closing.wait(20)
child = forked(all_hits)
assert closed == [visitor.ident], "it was forked in the middle of SQLite's closing"
wait(child)
visitor.join()
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


def test_a_child_of_a_transaction_in_a_file_does_without_the_file(tmp_path: Path) -> None:
    run(IN_A_TRANSACTION_ON_SQLITE, on_sqlite(tmp_path), tmp_path)


def test_what_children_counted_is_written_when_they_leave(tmp_path: Path) -> None:
    run(COUNTED, on_sqlite(tmp_path), tmp_path)


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


@pytest.mark.parametrize(
    "program",
    [OPEN_ELSEWHERE, WRITTEN_ELSEWHERE, CLOSED_ELSEWHERE],
    ids=["open elsewhere", "written elsewhere", "closed elsewhere"],
)
def test_a_child_has_locks_of_its_own_on_a_file_that_other_threads_use(
    tmp_path: Path, program: str
) -> None:
    run(program, on_sqlite(tmp_path), tmp_path)
