"""The cache's own file in other hands: locked, held by a stopped process, deleted (law 3)."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import connections

from audiocache import CacheConfig, MultiTierAudioCache, own_file
from audiocache.database import FILE_NAME, SQLITE_OPTIONS
from audiocache.pulse import pulse

pytestmark = pytest.mark.usefixtures("unblocked", "own_aliases")

HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[MultiTierAudioCache]:
    cache = MultiTierAudioCache(
        CacheConfig(backend="sqlite", memory_max_size=0, persistent_path=str(tmp_path / "new"))
    )
    yield cache
    cache.close(flush=False)


def file_of(cache: MultiTierAudioCache) -> Path:
    return Path(str(cache.config.persistent_path)) / FILE_NAME


def errors_of(cache: MultiTierAudioCache) -> int:
    errors = cache.get_comprehensive_stats()["performance"]["errors"]["persistent"]
    assert isinstance(errors, int)
    return errors


def seconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has the lock of this file, and is stopped."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)


def test_law_3_a_writer_that_does_not_end_holds_a_put_for_two_seconds_at_most(
    cache: MultiTierAudioCache,
) -> None:
    cache.put("Hello", b"sound")
    with closing(sqlite3.connect(file_of(cache), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert 0.5 < seconds(lambda: cache.put("World", b"sound")) < 2
        assert cache.get("Hello") == b"sound"
        assert errors_of(cache) >= 1  # the pulse may have met it, too
        other.execute("ROLLBACK")
    cache.put("World", b"sound")
    assert cache.get("World") == b"sound"


def test_law_3_threads_behind_a_put_that_waits_do_not_wait_one_after_the_other(
    cache: MultiTierAudioCache,
) -> None:
    cache.put("Hello", b"sound")
    with closing(sqlite3.connect(file_of(cache), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def put() -> None:
            took.append(seconds(lambda: cache.put("World", b"sound")))
            connections.close_all()

        took: list[float] = []
        threads = [threading.Thread(target=put) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(took) == 8
    assert max(took) < 5


def test_law_3_a_stopped_process_with_the_files_lock_holds_nobody_for_ever(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_file, "PATIENCE_SECONDS", 0.3)
    file_of(cache).parent.mkdir()
    with held(file_of(cache).with_suffix(".lock")):
        assert seconds(lambda: cache.get("Hello")) < 1
        assert errors_of(cache) == 1
        assert seconds(lambda: cache.get("Hello")) < 0.1  # an outage: passed over for a while


def test_who_migrates_or_imports_waits_longer_for_other_writers(
    cache: MultiTierAudioCache,
) -> None:
    cache.put("Hello", b"sound")
    connection = connections[cache.tiers["persistent"]._database.alias]  # type: ignore[attr-defined]

    def patience() -> int:
        with connection.cursor() as cursor:
            [ms] = cursor.execute("PRAGMA busy_timeout").fetchone()
        return int(ms)

    with own_file.patient(connection):
        assert patience() == own_file.WRITER_SECONDS * 1000
    assert patience() == SQLITE_OPTIONS["timeout"] * 1000  # type: ignore[operator]


def test_a_cache_whose_alias_was_taken_back_is_at_rest(
    cache: MultiTierAudioCache, caplog: pytest.LogCaptureFixture
) -> None:
    """As at the end of a test that had registered it: the pulse may still know the cache."""
    cache.put("Hello", b"sound")
    alias = cache.tiers["persistent"]._database.alias  # type: ignore[attr-defined]
    connections[alias].close()
    del connections[alias], connections.databases[alias]
    pulse.stop()
    cache.flush()
    cache.close()
    assert "background work failed" not in caplog.text


def test_a_folder_that_is_deleted_under_a_running_process_is_made_anew(
    cache: MultiTierAudioCache, tmp_path: Path
) -> None:
    alias = cache.tiers["persistent"]._database.alias  # type: ignore[attr-defined]
    noticed, over = threading.Event(), threading.Event()
    answers: list[bytes | None] = []

    def go_on() -> None:
        cache.put("Hello", b"old")
        noticed.wait(10)
        answers.append(cache.get("Hello"))
        connections[alias].close()
        over.set()

    other = threading.Thread(target=go_on)
    other.start()
    cache.put("World", b"old")
    while cache.get("Hello") is None:
        time.sleep(0.01)
    # At one stroke: the pulse, which may beat meanwhile, would make files in what is being emptied.
    gone = file_of(cache).parent.rename(tmp_path / "gone")
    shutil.rmtree(gone)
    cache._upkeep.beat()
    assert cache.get("World") is None
    noticed.set()
    assert over.wait(10)
    assert answers == [None]  # a thread whose connection still leads to the old file
    cache.put("World", b"new")
    with closing(sqlite3.connect(file_of(cache))) as file:
        assert file.execute("SELECT audio FROM audiocache_entry").fetchall() == [(b"new",)]


def test_behind_a_test_run_nothing_is_made_of_the_sites_own_file(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The pulse goes on for a moment when the database of the tests has been dropped."""
    folder = tmp_path_factory.mktemp("site")
    cache = MultiTierAudioCache(
        CacheConfig(backend="sqlite", memory_max_size=0, persistent_path=str(folder))
    )
    connection = connections[cache.tiers["persistent"]._database.alias]  # type: ignore[attr-defined]
    own, connection.settings_dict["NAME"] = connection.settings_dict["NAME"], folder / "test_clips"
    cache.put("Hello", b"sound")
    assert cache.get("Hello") == b"sound"
    connection.close()
    connection.settings_dict["NAME"] = own
    assert cache.get("Hello") is None
    cache.close()
    assert not Path(own).exists()
