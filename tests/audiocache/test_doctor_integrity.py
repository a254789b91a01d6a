"""A damaged file of SQLite's is found, by a quick look or by SQLite's own check, and mended."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from audiocache import database, get_audio_cache, own_file
from audiocache.database import FILE_NAME
from audiocache.doctor import integrity
from audiocache.doctor.rounds import examine
from audiocache.doctor.sight import FileSight
from audiocache.models import AudioCacheEntry
from tests.audiocache.test_doctor import doctor, end, type_

pytestmark = pytest.mark.usefixtures("own_aliases", "unblocked")

PAGE = 4096
NUMBER = 40


@pytest.fixture
def path(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A file with clips, which nobody has open."""
    settings.AUDIOCACHE = {"PERSISTENT_PATH": str(tmp_path)}
    settings.SILENCED_SYSTEM_CHECKS = ["audiocache.W021"]
    get_audio_cache().put_many([(f"phrase {number}", b"RIFF" * 20) for number in range(NUMBER)])
    end()
    yield tmp_path / FILE_NAME
    end()


def wreck(path: Path, name: str) -> None:
    """Overwrite the root of a table or an index."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        [page] = file.execute(sql, [name]).fetchone()
    with path.open("r+b") as pages:
        pages.seek(PAGE * (page - 1))
        pages.write(b"\xff" * PAGE)


def in_another_process() -> None:
    """Nothing is known any more of the file that was open."""
    connections[database.default_alias()].close()
    own_file.unprepare(database.default_alias())


def outdate(path: Path, name: str) -> None:
    """Have rows change while the schema does not know of an index."""

    def changing(change: str, *values: Any) -> None:
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("PRAGMA writable_schema = ON")
            file.execute(change, values)
            [version] = file.execute("PRAGMA schema_version").fetchone()
            file.execute(f"PRAGMA schema_version = {version + 1}")

    with closing(sqlite3.connect(path)) as file:
        sql = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE name = ?"
        known = file.execute(sql, [name]).fetchone()
    changing("DELETE FROM sqlite_master WHERE name = ?", name)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE audiocache_entry SET expires = expires + 1000")
    changing("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", *known)


@pytest.mark.parametrize(
    "name",
    ["audiocache_lru", "audiocache_voice", "audiocache_removal", "audiocache_spent",
     "sqlite_autoindex_audiocache_tag_1"],
)  # fmt: skip
def test_a_damaged_table_or_index_is_named_also_by_a_quick_look(path: Path, name: str) -> None:
    wreck(path, name)
    for deep in (False, True):
        found = {one.name: one for one in examine(deep=deep).findings}
        assert found["integrity"].what == f"SQLite's file is damaged in {name}."
        assert f"mv {path} {path}.broken" in found["integrity"].mend


def test_what_is_sound_is_carried_over_as_it_says(path: Path) -> None:
    wreck(path, "audiocache_lru")
    archive = path.with_name("whole.tar")
    call_command("audiocache", "export", str(archive), stdout=io.StringIO())
    end()
    path.rename(f"{path}.broken")
    in_another_process()
    call_command("audiocache", "import", str(archive), stdout=io.StringIO())
    end()
    assert doctor("--deep") == {}
    assert get_audio_cache().get("phrase 7") == b"RIFF" * 20
    assert AudioCacheEntry.objects.count() == NUMBER


def test_no_index_is_made_anew_whose_page_is_damaged(path: Path) -> None:
    wreck(path, "audiocache_lru")
    with pytest.raises(CommandError, match=r"integrity: not mended: .*SQLITE_CORRUPT"):
        call_command("audiocache", "mend", "integrity")


def test_an_index_that_does_not_fit_its_table_is_found_deep_and_mended(path: Path) -> None:
    outdate(path, "audiocache_expires")
    assert "integrity" not in doctor()
    type_(doctor("--deep")["integrity"])
    end()
    assert doctor("--deep") == {}


def test_a_page_that_no_end_leads_to_is_found_deep(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = "SELECT pageno FROM dbstat WHERE name = 'audiocache_entry' AND pagetype = 'leaf'"
        leaves = [page for (page,) in file.execute(pages)]
    middle = leaves[len(leaves) // 2]
    with path.open("r+b") as file_:
        file_.seek(PAGE * (middle - 1))
        file_.write(b"\xff" * PAGE)
    assert "mv " in doctor("--deep")["integrity"]


def test_a_check_that_takes_too_long_is_left_and_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "LONGEST_SECONDS", 0.0)
    monkeypatch.setattr("audiocache.doctor.sight.STEPS", 1)
    assert doctor("--deep")["integrity"] == f"sqlite3 {path} 'PRAGMA integrity_check'"


def test_a_look_can_be_interrupted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocache.doctor.sight.STEPS", 1)
    with closing(FileSight(path)) as sight:
        asked = clock_that_is_interrupted(monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            sight.rows_within(60, "PRAGMA integrity_check")
    assert asked


def clock_that_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The second time that SQLite's machine looks at it, Ctrl-C comes."""
    asked: list[float] = []

    def monotonic() -> float:
        asked.append(float(len(asked)))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return asked[-1]

    monkeypatch.setattr("audiocache.doctor.sight.time.monotonic", monotonic)
    return asked


def test_a_file_that_somebody_holds_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.doctor.sight.WAIT_SECONDS", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        found = {one.name: one for one in examine().findings}
    assert "SQLITE_BUSY" in found["database"].what
