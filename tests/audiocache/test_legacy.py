"""The earlier cache's file: imported by command and by itself, once, whatever it looks like."""

from __future__ import annotations

import gc
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connections
from xxhash import xxh3_64_intdigest

from audiocache import CacheConfig, MultiTierAudioCache, database, legacy, own_file
from audiocache.clock import now_ms
from audiocache.entries import NEVER
from audiocache.keys import canonical_variant, clip_key
from audiocache.legacy import ImportReport, LegacyFileError, importing
from audiocache.legacy.source import START, LegacyFile, Row
from audiocache.legacy.target import Limits, Naming, Target
from audiocache.models import AudioCacheEntry, State, Total
from audiocache.pulse import pulse
from audiocache.tiers.sql import batches

in_tables = pytest.mark.django_db(databases=["default", "audiocache", "audiocache_pg"])

BERLIN = ZoneInfo("Europe/Berlin")
SCHEMA = """
    CREATE TABLE audio_cache (
        key TEXT PRIMARY KEY, data BLOB, created_at TIMESTAMP, accessed_at TIMESTAMP,
        access_count INTEGER DEFAULT 0, size_bytes INTEGER, expires_at TIMESTAMP
    )
"""
MANY = 10_000
SOME = 3_000  # for those that are killed: some batches before it, and more behind
MakeCache = Callable[..., MultiTierAudioCache]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stamp(moment: datetime, *, number: int = 0) -> str:
    """As the earlier cache wrote them: with T or a space, with microseconds or without."""
    moment = moment if number % 3 else moment.replace(microsecond=0)
    return moment.isoformat(sep=" " if number % 2 else "T")


def earlier_row(text: str, data: Any = None, **changed: Any) -> dict[str, Any]:
    now = datetime.now()
    row = {
        "key": digest(text),
        "data": b"RIFF____WAVE" + text.encode() if data is None else data,
        "created_at": stamp(now - timedelta(hours=2)),
        "accessed_at": stamp(now - timedelta(hours=1)),
        "access_count": 3,
        "size_bytes": 12,
        "expires_at": stamp(now + timedelta(hours=20)),
    }
    return row | changed


def write_earlier(path: Path, rows: list[dict[str, Any]], *, wal: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(SCHEMA)
        names = ", ".join(earlier_row(""))
        connection.executemany(
            f"INSERT INTO audio_cache ({names}) VALUES ({', '.join('?' * 7)})",
            [tuple(row.values()) for row in rows],
        )
        connection.commit()
    return path


def many_rows(number: int = MANY) -> list[dict[str, Any]]:
    """One in ten expired, one in ten without an end, each used a second before the last."""
    now = datetime.now()
    rows = []
    for n in range(number):
        ends: datetime | None = now + timedelta(hours=1 + n % 40)
        if n % 10 == 0:
            ends = now - timedelta(minutes=1)
        elif n % 10 == 1:
            ends = None
        rows.append(
            earlier_row(
                f"phrase {n}",
                created_at=stamp(now - timedelta(days=1), number=n),
                accessed_at=stamp(now - timedelta(seconds=n), number=n),
                access_count=n % 7,
                expires_at=ends and stamp(ends, number=n),
            )
        )
    random.Random(1).shuffle(rows)
    return rows


def entries(alias: str = "audiocache") -> Any:
    return AudioCacheEntry.objects.using(alias)


def counts(report: ImportReport) -> tuple[int, ...]:
    """imported, present, expired, corrupt, over_limit"""
    return (
        report.imported, report.present, report.expired, report.corrupt, report.over_limit,
    )  # fmt: skip


@pytest.fixture
def berlin(settings: Any) -> None:
    """This process lives in Berlin, as Django makes it."""
    settings.TIME_ZONE = "Europe/Berlin"


@pytest.fixture
def cache_in(tmp_path: Path, django_db_blocker: Any) -> Iterator[MakeCache]:
    """Makes caches on `folder / audio_cache.db` and takes their aliases away again."""
    before, made = set(connections.databases), []

    def make(folder: Path = tmp_path, **config: Any) -> MultiTierAudioCache:
        made.append(MultiTierAudioCache(CacheConfig(persistent_path=str(folder), **config)))
        return made[-1]

    # Not the mark: Django's TestCase allows the aliases that were there when it began.
    with django_db_blocker.unblock():
        yield make
        pulse.stop()
        while made:
            made.pop().close()
        # The pulse holds caches weakly; in the next test nobody may work on these files.
        gc.collect()
        for alias in set(connections.databases) - before:
            forget_alias(alias)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait for a lock; by itself it waits 5 s."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{"timeout": 0, **k}))


def forget_alias(alias: str) -> None:
    connections[alias].close()
    del connections[alias]
    del connections.databases[alias]
    own_file.unprepare(alias)


def alias_in(folder: Path) -> str:
    return database.alias_of(CacheConfig(persistent_path=str(folder)))


# By command


@pytest.mark.untraced
@in_tables
@pytest.mark.parametrize(
    "alias", ["audiocache", pytest.param("audiocache_pg", marks=pytest.mark.chaos)]
)
def test_ten_thousand_rows_come_over_with_keys_expiry_and_counts(
    tmp_path: Path, alias: str
) -> None:
    rows = many_rows()
    path = write_earlier(tmp_path / "old.db", rows)
    steps: list[int] = []

    report = legacy.import_file(path, alias, progress=lambda r: steps.append(r.seen))

    assert counts(report) == (MANY * 9 // 10, 0, MANY // 10, 0, 0)
    assert report.total == report.seen == MANY == steps[-1]
    assert len(steps) >= MANY / batches.BATCH
    found = {entry.key: entry for entry in entries(alias).all()}
    assert len(found) == report.imported
    for row in rows:
        entry = found.get(row["key"])
        if row["expires_at"] and datetime.fromisoformat(row["expires_at"]) < datetime.now():
            assert entry is None
            continue
        assert entry is not None
        assert bytes(entry.audio) == row["data"]
        assert entry.hits == row["access_count"]
        assert entry.created == ms(row["created_at"])
        assert entry.used == ms(row["accessed_at"])
        assert entry.expires == entry.keep_until == ms(row["expires_at"])
        assert entry.source_key == entry.text_digest == entry.key
        assert entry.text is None
        assert entry.content_type == "audio/wav"
        assert entry.size == len(row["data"])
        assert entry.checksum % 2**64 == xxh3_64_intdigest(row["data"])
    [(number, size)] = [totals(alias)]
    assert (number, size) == (len(found), sum(entry.size for entry in found.values()))


def ms(moment: str | None) -> int:
    return NEVER if moment is None else round(datetime.fromisoformat(moment).timestamp() * 1000)


def totals(alias: str) -> tuple[int, int]:
    slots = Total.objects.using(alias).values_list("entries", "bytes")
    return sum(number for number, _ in slots), sum(size for _, size in slots)


@in_tables
def test_twice_is_once(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "old.db", many_rows(1000))
    first = legacy.import_file(path, "audiocache")
    before = list(entries().order_by("id").values_list("id", "key", "revision"))

    second = legacy.import_file(path, "audiocache")

    assert counts(second) == (0, first.imported, first.expired, 0, 0)
    assert list(entries().order_by("id").values_list("id", "key", "revision")) == before


@in_tables
def test_an_entry_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    cache = MultiTierAudioCache(CacheConfig(persistent_database="audiocache"))
    key = cache.put("Hello", b"newer")
    path = write_earlier(tmp_path / "old.db", [earlier_row("Hello"), earlier_row("Bye")])

    assert counts(legacy.import_file(path, "audiocache")) == (1, 1, 0, 0, 0)
    assert bytes(entries().get(key=key).audio) == b"newer"
    pulse.stop()
    cache.close()


@in_tables
def test_the_file_is_only_read(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "old.db", many_rows(50))
    path.chmod(0o444)
    before = path.read_bytes()
    legacy.import_file(str(path), "audiocache")
    assert path.read_bytes() == before


@in_tables
def test_a_name_that_looks_like_an_address_is_a_name(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "old %41?mode=rwc#x.db", many_rows(5), wal=True)
    assert legacy.import_file(path, "audiocache").total == 5


@in_tables
def test_a_variant_and_a_namespace_are_given_to_rows_of_unknown_text(tmp_path: Path) -> None:
    variant = {"provider": "p", "voice": "no\x00va", "model": {"a": 1.0}, "speed": 2.0}
    path = write_earlier(tmp_path / "old.db", [earlier_row("Hello")])

    legacy.import_file(path, "audiocache", variant=variant, namespace="shop")

    entry = entries().get()
    canonical = canonical_variant(variant)
    assert entry.key == entry.source_key == clip_key(digest("Hello"), canonical, "shop")
    assert (entry.text_digest, entry.variant, entry.namespace) == (
        digest("Hello"), canonical, "shop",
    )  # fmt: skip
    assert (entry.provider, entry.voice, entry.model, entry.language) == (
        "p", "nova", '{"a": 1}', "",
    )  # fmt: skip
    cache = MultiTierAudioCache(CacheConfig(persistent_database="audiocache"))
    assert cache.get("Hello", namespace="shop", **variant) == earlier_row("Hello")["data"]
    assert cache.get("Hello") is None
    pulse.stop()
    cache.close()


@in_tables
@pytest.mark.parametrize(
    ("given", "error", "names"),
    [
        ({"variant": {"voice": object()}}, TypeError, "voice"),
        ({"variant": {"tags": "x"}}, TypeError, "tags"),
        ({"namespace": "x" * 101}, ValueError, "namespace"),
    ],
)
def test_a_wrong_variant_is_refused_before_anything_is_written(
    tmp_path: Path, given: dict[str, Any], error: type[Exception], names: str
) -> None:
    path = write_earlier(tmp_path / "old.db", [earlier_row("Hello")])
    with pytest.raises(error, match=names):
        legacy.import_file(path, "audiocache", **given)
    assert not entries().exists()


# Limits


@in_tables
def test_the_most_recently_used_come_in_and_nothing_is_evicted_for_the_rest(
    tmp_path: Path,
) -> None:
    rows = [row for row in many_rows(300) if row["expires_at"] is None]
    path = write_earlier(tmp_path / "old.db", rows)
    latest = sorted(rows, key=lambda row: ms(row["accessed_at"]), reverse=True)[:10]
    write_earlier(tmp_path / "there.db", [earlier_row("there", accessed_at="2001-01-01")])
    legacy.import_file(tmp_path / "there.db", "audiocache")

    report = legacy.import_file(path, "audiocache", max_entries=11)

    assert counts(report) == (10, 0, 0, 0, 20)
    assert set(entries().values_list("key", flat=True)) == {
        digest("there"), *(row["key"] for row in latest),
    }  # fmt: skip
    again = legacy.import_file(path, "audiocache", max_entries=11)
    assert counts(again) == (0, 10, 0, 0, 20)


@in_tables
def test_bytes_are_a_limit_too_and_a_smaller_clip_may_still_fit(tmp_path: Path) -> None:
    now = datetime.now()
    rows = [
        earlier_row(f"{size}", b"x" * size, accessed_at=stamp(now - timedelta(minutes=n)))
        for n, size in enumerate([400, 700, 500, 101, 100])
    ]
    path = write_earlier(tmp_path / "old.db", rows)
    report = legacy.import_file(path, "audiocache", max_bytes=1000)
    assert counts(report) == (3, 0, 0, 0, 2)
    assert sorted(entries().values_list("size", flat=True)) == [100, 400, 500]


@in_tables
def test_memory_holds_one_batch_of_audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 1000)
    held: list[int] = []
    read = LegacyFile.audio

    def reading(self: LegacyFile, rows: Any) -> dict[int, bytes]:
        audio = read(self, rows)
        held.append(sum(map(len, audio.values())))
        return audio

    monkeypatch.setattr(LegacyFile, "audio", reading)
    sizes = [300, 300, 300, 300, 5000, 10, 10]
    rows = [earlier_row(f"{n}", b"x" * size) for n, size in enumerate(sizes)]
    report = legacy.import_file(write_earlier(tmp_path / "old.db", rows), "audiocache")
    assert report.imported == len(sizes)
    assert sum(held) == sum(sizes)
    assert all(size <= 1000 or size == 5000 for size in held)


# Bad rows and bad files


@in_tables
def test_malformed_rows_are_counted_and_named_and_the_others_come(tmp_path: Path) -> None:
    bad = [
        earlier_row("1", key="a" * 63),
        earlier_row("2", key="g" * 64),
        earlier_row("3", key=None),
        earlier_row("4", key=b"\xff" * 64),
        earlier_row("5", data=b""),
        earlier_row("6", data="text that is no audio"),
        earlier_row("7", created_at="yesterday"),
        earlier_row("8", expires_at=17),
        earlier_row("9", accessed_at="0001-01-01T00:00:00"),
        earlier_row("10", created_at=None),
    ]
    good = [
        earlier_row("a", key=digest("a").upper()),
        earlier_row("b", accessed_at=None, access_count=None),
        earlier_row("c", access_count=-4),
        earlier_row("d", created_at="2024-01-01T00:00:00+02:00"),
    ]
    path = write_earlier(tmp_path / "old.db", bad + good)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE audio_cache SET key = CAST(x'ff' || substr(key, 2) AS TEXT) WHERE rowid = 4"
        )
        connection.execute("UPDATE audio_cache SET data = NULL WHERE rowid = 5")
        connection.commit()

    report = legacy.import_file(path, "audiocache")

    assert counts(report) == (len(good), 0, 0, len(bad), 0)
    assert sorted(report.corrupt_rows) == list(range(1, len(bad) + 1))
    found = {entry.key: entry for entry in entries()}
    assert set(found) == {digest(text) for text in "abcd"}
    assert found[digest("b")].used == found[digest("b")].created
    assert found[digest("b")].hits == found[digest("c")].hits == 0
    moment = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert found[digest("d")].created == moment.timestamp() * 1000


@in_tables
def test_one_of_the_future_was_used_now(tmp_path: Path) -> None:
    ahead = stamp(datetime.now() + timedelta(days=400))
    path = write_earlier(tmp_path / "old.db", [earlier_row("a", accessed_at=ahead)])
    legacy.import_file(path, "audiocache")
    assert entries().get().used <= datetime.now(tz=UTC).timestamp() * 1000


@in_tables
@pytest.mark.parametrize("zone", [None, UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")])
def test_the_last_moment_of_a_datetime_is_never(tmp_path: Path, zone: Any) -> None:
    rows = [earlier_row("a", expires_at=datetime.max.isoformat())]
    rows += [earlier_row("b", created_at="1960-01-01", accessed_at="9999-12-31T23:59:59.999999")]
    rows += [earlier_row("c", expires_at="1960-01-01")]
    path = write_earlier(tmp_path / "old.db", rows)

    report = legacy.import_file(path, "audiocache", zone=zone or BERLIN)

    assert counts(report) == (2, 0, 1, 0, 0)
    assert entries().get(key=digest("a")).expires == NEVER
    cache = MultiTierAudioCache(CacheConfig(persistent_database="audiocache"))
    assert [cache.get(text) for text in "ab"] == [row["data"] for row in rows[:2]]
    assert [cache.get(text) for text in "ab"] == [row["data"] for row in rows[:2]]
    pulse.stop()
    cache.close()


@in_tables
def test_every_variant_of_a_text_is_removed_also_of_one_that_normalisation_changed(
    tmp_path: Path,
) -> None:
    raw = "Hello  world"
    path = write_earlier(tmp_path / "old.db", [earlier_row(raw)])
    legacy.import_file(path, "audiocache", variant={"voice": "a"})
    cache = MultiTierAudioCache(CacheConfig(persistent_database="audiocache"))
    assert cache.get(raw, voice="a") == earlier_row(raw)["data"]
    assert cache.remove(raw, all_variants=True)
    assert cache.get(raw, voice="a") is None
    assert not entries().exists()
    pulse.stop()
    cache.close()


def other_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE something (x)")


def other_columns(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE audio_cache (key TEXT, data BLOB)")


@in_tables
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "is not a file"),
        (Path.mkdir, "is not a file"),
        (Path.touch, "no table audio_cache"),
        (other_table, "no table audio_cache"),
        (other_columns, "no column created_at, .*expected is a table audio_cache"),
        (lambda path: path.write_bytes(b"ID3" + bytes(5000)), "cannot be read as a SQLite file"),
    ],
)
def test_a_file_that_is_not_such_a_file_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    path = tmp_path / "wrong.db"
    make(path)
    with pytest.raises(LegacyFileError, match=f"wrong.db.* {says}|{says}") as caught:
        legacy.import_file(path, "audiocache")
    assert isinstance(caught.value, ValueError)
    assert "wrong.db" in str(caught.value)
    assert not entries().exists()


def test_a_refused_file_does_not_even_make_the_cache_s_own(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    (tmp_path / "wrong.db").touch()
    cache_in(tmp_path / "new")
    alias = alias_in(tmp_path / "new")
    with pytest.raises(LegacyFileError):
        legacy.import_file(tmp_path / "wrong.db", alias)
    assert not (tmp_path / "new").exists()


def test_an_import_may_be_the_first_use_of_the_cache_s_own_file(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    cache = cache_in(tmp_path / "new")
    path = write_earlier(tmp_path / "old.db", [earlier_row("Hello")])
    alias = alias_in(tmp_path / "new")
    legacy.import_file(path, alias, before=lambda: own_file.prepare(connections[alias]))
    assert cache.get("Hello") == earlier_row("Hello")["data"]


@in_tables
def test_a_file_damaged_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "old.db", many_rows(500))
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(path.stat().st_size // 4))
    with pytest.raises(LegacyFileError, match=r"old\.db cannot be read"):
        legacy.import_file(path, "audiocache")


@contextmanager
def as_another_user() -> Iterator[None]:
    """What is not for all is not for us, even where tests are root's."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def folder_of_all() -> Iterator[Path]:
    """One that another user can come by."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_file_on_a_medium_that_cannot_be_written_to_is_read(folder_of_all: Path) -> None:
    path = write_earlier(folder_of_all / "old.db", many_rows(5), wal=True)
    path.chmod(0o444)
    folder_of_all.chmod(0o555)
    with as_another_user(), closing(LegacyFile(path)) as source:
        assert len(list(source.rows(START))) == 5


def test_a_file_that_we_may_not_open_is_one_that_cannot_be_read(folder_of_all: Path) -> None:
    """What an adoption logs; else every get and put would raise it."""
    path = write_earlier(folder_of_all / "old.db", many_rows(5))
    path.chmod(0)
    with as_another_user(), pytest.raises(LegacyFileError, match="cannot be read"):
        LegacyFile(path)


# The clock change


@in_tables
@pytest.mark.parametrize("zone", [None, BERLIN])
@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-07-01T12:00:00", "2026-07-01T10:00:00"),
        ("2026-01-01 12:00:00.250000", "2026-01-01T11:00:00.250000"),
        # Came twice: the first.
        ("2025-10-26T02:30:00", "2025-10-26T00:30:00"),
        # Never came: as if the clock had not been changed yet.
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00"),
    ],
)
@pytest.mark.usefixtures("berlin")
def test_local_times_become_instants_also_when_the_clock_changes(
    tmp_path: Path, zone: ZoneInfo | None, local: str, utc: str
) -> None:
    path = write_earlier(tmp_path / "old.db", [earlier_row("a", created_at=local)])
    legacy.import_file(path, "audiocache", zone=zone)
    assert entries().get().created == ms(f"{utc}+00:00")


@in_tables
@pytest.mark.usefixtures("berlin")
def test_a_file_from_another_zone_is_read_in_that_zone(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "old.db", [earlier_row("a", created_at="2026-01-01")])
    legacy.import_file(path, "audiocache", zone=ZoneInfo("Asia/Tokyo"))
    assert entries().get().created == ms("2025-12-31T15:00:00+00:00")


# By itself


def test_a_cache_on_the_earlier_folder_takes_its_file_over(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    write_earlier(tmp_path / "audio_cache.db", many_rows(500), wal=True)

    cache = cache_in(persistent_max_size=0)

    assert cache.get("phrase 7") == earlier_row("phrase 7")["data"]
    assert cache.get("phrase 10") is None
    entry = cache.get_entry("phrase 11")
    assert entry is not None
    assert entry.expires_at is None
    assert cache.tiers["persistent"].stats()["entry_count"] == 450
    with closing(sqlite3.connect(tmp_path / "audio_cache.legacy.db")) as kept:
        assert kept.execute("SELECT COUNT(*) FROM audio_cache").fetchone() == (500,)
    assert not list(tmp_path.glob("*.legacy.db-*"))


def test_a_text_that_normalisation_changes_is_found_by_its_raw_digest(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    raw = "  Cafe\u0301  au lait\r\n"
    write_earlier(tmp_path / "audio_cache.db", [earlier_row(raw)])
    cache = cache_in()

    assert cache.has(raw)
    assert not cache.has("Café au lait")
    assert cache.get(raw) == earlier_row(raw)["data"]
    assert cache.remove(raw)
    assert cache.get(raw) is None


def test_what_was_adopted_once_and_removed_stays_removed(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    write_earlier(tmp_path / "audio_cache.db", many_rows(50))
    cache = cache_in()
    assert cache.remove("phrase 7")
    cache.close()
    alias = alias_in(tmp_path)
    own_file.unprepare(alias)

    assert cache.get("phrase 8") is not None
    assert not cache.has("phrase 7")
    state = State.objects.using(alias).get(name="legacy:audio_cache.legacy.db")
    assert state.value == "done"


def test_a_second_such_file_does_not_overwrite_the_first(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    older = [earlier_row("same", b"older"), earlier_row("old")]
    write_earlier(tmp_path / "audio_cache.legacy.db", older)
    write_earlier(tmp_path / "audio_cache.db", [earlier_row("same", b"newer"), earlier_row("new")])

    cache = cache_in()

    assert cache.get("same") == b"newer"
    assert cache.get("old")
    assert cache.get("new")
    names = {path.name for path in tmp_path.glob("*.legacy*")}
    assert names == {"audio_cache.legacy.db", "audio_cache.legacy-2.db"}


def test_the_limits_of_the_cache_hold_for_what_is_adopted(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    folder = tmp_path / "cache"
    write_earlier(folder / "audio_cache.db", many_rows(100))
    cache = cache_in(folder, persistent_max_size=20)
    assert cache.tiers["persistent"].stats()["entry_count"] == 20
    assert cache.has("phrase 1")


@pytest.mark.parametrize("wrong", ["default alias", "settings"])
def test_without_a_right_configuration_there_is_no_limit(
    tmp_path: Path,
    settings: Any,
    cache_in: MakeCache,
    wrong: str,
) -> None:
    if wrong == "settings":
        settings.AUDIOCACHE = {"PERSISTENT_MAX_SIZE": "many"}
    write_earlier(tmp_path / "audio_cache.db", many_rows(100))
    assert cache_in().tiers["persistent"].stats()["entry_count"] == 90


@pytest.mark.usefixtures("impatient")
def test_a_file_in_use_keeps_what_is_beside_it(tmp_path: Path) -> None:
    path = write_earlier(tmp_path / "audio_cache.db", [earlier_row("a")], wal=True)
    with closing(sqlite3.connect(path)) as user, closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM audio_cache").fetchall()
        user.execute("DELETE FROM audio_cache")
        user.commit()
        aside = legacy.set_aside(path)
    assert aside == tmp_path / "audio_cache.legacy.db"
    assert not path.exists()
    with closing(sqlite3.connect(aside)) as kept:
        assert kept.execute("SELECT COUNT(*) FROM audio_cache").fetchone() == (0,)


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_file_that_is_no_earlier_cache_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audio_cache.db"
    assert legacy.set_aside(path) is None
    path.write_bytes(content)
    assert legacy.set_aside(path) is None
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_our_own_file_is_left_alone_also_with_a_table_of_the_earlier_cache(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    cache = cache_in()
    cache.put("Hello", b"audio")
    path = tmp_path / "audio_cache.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(SCHEMA)
    assert legacy.set_aside(path) is None


@pytest.mark.usefixtures("impatient")
def test_a_locked_file_is_asked_again_later(tmp_path: Path, cache_in: MakeCache) -> None:
    path = write_earlier(tmp_path / "audio_cache.db", [earlier_row("a")])
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match="locked"):
            legacy.set_aside(path)
        cache = cache_in()
        assert cache.get("a") is None
        writer.rollback()
    assert cache.get("a") == earlier_row("a")["data"]


def test_a_set_aside_file_that_cannot_be_read_is_logged_and_the_cache_works(
    tmp_path: Path,
    cache_in: MakeCache,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other_columns(tmp_path / "audio_cache.db")
    cache = cache_in()
    cache.put("Hello", b"audio")
    assert cache.tiers["persistent"].stats()["entry_count"] == 1
    assert "audio_cache.legacy.db is not an earlier cache's file" in caplog.text


# Processes

SITE = """
    import os, signal, sys
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["audiocache"], USE_TZ=True, TIME_ZONE=None,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    )
    django.setup()
    from django.db import connections
    from audiocache import CacheConfig, MultiTierAudioCache, database, legacy, own_file
    config = CacheConfig(persistent_path=sys.argv[1], persistent_max_size=0)
    cache = MultiTierAudioCache(config)
    connection = connections[database.alias_of(config)]

    def kill_at_insert(last):
        # In the middle of a transaction, after rows and before the mark.
        seen = []
        def wrapper(execute, sql, params, many, context):
            result = execute(sql, params, many, context)
            if "audiocache_entry" in sql and "INSERT" in sql:
                seen.append(1)
                if len(seen) == last:
                    os.kill(os.getpid(), signal.SIGKILL)
            return result
        connection.execute_wrappers.append(wrapper)
"""


def site(code: str, *arguments: Path | str, **options: Any) -> subprocess.Popen[str]:
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    script = textwrap.dedent(SITE) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def test_four_processes_at_once_adopt_it_once(tmp_path: Path) -> None:
    write_earlier(tmp_path / "audio_cache.db", many_rows(600))
    code = """
        sys.stdin.readline()
        print(sum(cache.get(f"phrase {n}") is not None for n in range(600)))
        print(cache.get_comprehensive_stats()["performance"]["errors"]["persistent"])
    """
    processes = [site(code, tmp_path, stdin=subprocess.PIPE) for _ in range(4)]
    outputs = [process.communicate("go\n", timeout=60)[0] for process in processes]
    assert outputs == ["540\n0\n"] * 4
    assert [path.name for path in tmp_path.glob("*.legacy*db")] == ["audio_cache.legacy.db"]
    with closing(sqlite3.connect(tmp_path / "audio_cache.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM audiocache_entry").fetchone() == (540,)
        assert connection.execute("SELECT SUM(entries) FROM audiocache_total").fetchone() == (540,)


def test_killed_in_the_middle_of_an_adoption_the_next_process_goes_on(tmp_path: Path) -> None:
    write_earlier(tmp_path / "audio_cache.db", many_rows(SOME))
    for inserts in (15, 9):
        killed = site(f"kill_at_insert({inserts}); cache.get('phrase 7')", tmp_path)
        killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "audio_cache.db")) as connection:
        [(rows,)] = connection.execute("SELECT COUNT(*) FROM audiocache_entry")
        [(mark,)] = connection.execute("SELECT value FROM audiocache_state")
    # The batch of each kill was rolled back as a whole.
    assert rows % 90 == 0
    assert 0 < rows < 2700
    assert mark != "done"

    going_on = """
        import logging
        logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
        cache.get("phrase 7")
        print(sum(cache.get(f"phrase {n}") is not None for n in range(1_000)))
    """
    output, _ = site(going_on, tmp_path).communicate(timeout=60)
    assert f"imported={2700 - rows} expired={(2700 - rows) // 9} " in output
    assert output.endswith("\n900\n")
    with closing(sqlite3.connect(tmp_path / "audio_cache.db")) as connection:
        assert connection.execute("SELECT value FROM audiocache_state").fetchall() == [("done",)]
        assert connection.execute("SELECT SUM(entries) FROM audiocache_total").fetchone() == (2700,)


def test_killed_in_the_middle_of_a_command_it_is_run_again(tmp_path: Path) -> None:
    old = write_earlier(tmp_path / "old.db", many_rows(SOME))
    importing_it = """
        prepare = lambda: own_file.prepare(connection)
        report = legacy.import_file(sys.argv[2], connection.alias, before=prepare)
        print(report.imported, report.present, report.expired)
    """
    killed = site(f"kill_at_insert(21)\n{textwrap.dedent(importing_it)}", tmp_path / "new", old)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL

    output, _ = site(importing_it, tmp_path / "new", old).communicate(timeout=60)
    imported, present, expired = map(int, output.split())
    assert (imported + present, expired) == (2700, 300)
    assert 0 < present < 2700


class Overtaken(Target):
    """Another import of the same rows is always a moment earlier."""

    path: Path

    def missing(self, rows: Any) -> list[Row]:
        found = super().missing(rows)
        with closing(LegacyFile(self.path)) as source:
            Target(self.alias, Naming(), Limits(), now_ms).insert(found[1:], source.audio(found))
        return found


@in_tables
@pytest.mark.parametrize("alias", ["audiocache", "audiocache_pg"])
def test_what_another_import_brought_meanwhile_is_present(tmp_path: Path, alias: str) -> None:
    target = Overtaken(alias, Naming(), Limits(), now_ms)
    target.path = write_earlier(tmp_path / "old.db", [earlier_row(f"{n}") for n in range(30)])
    with closing(LegacyFile(target.path)) as source:
        report = importing.bring(source, target)
    assert counts(report) == (1, 29, 0, 0, 0)
    assert totals(alias)[0] == entries(alias).count() == 30


@in_tables
@pytest.mark.parametrize("end", ["", None])
def test_an_empty_end_is_none(tmp_path: Path, end: str | None) -> None:
    path = write_earlier(tmp_path / "old.db", [earlier_row("Hello", expires_at=end)])
    assert counts(legacy.import_file(path, "audiocache")) == (1, 0, 0, 0, 0)
    assert entries().get().expires == NEVER


def test_a_file_that_lies_where_the_cache_s_own_is_made_is_read_where_it_was_set_aside(
    tmp_path: Path, cache_in: MakeCache
) -> None:
    rows = [earlier_row(f"{n}", b"x" * 3000) for n in range(300)]
    path = write_earlier(tmp_path / "audio_cache.db", rows)
    connection = connections[alias_in(tmp_path)]
    cache_in()  # takes the alias away again
    report = legacy.import_file(path, connection.alias, before=lambda: own_file.prepare(connection))
    assert counts(report) == (0, 300, 0, 0, 0)
    assert entries(connection.alias).count() == 300
