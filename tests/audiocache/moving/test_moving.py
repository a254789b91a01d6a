"""Out of a table and into another: the same clips, keys, pins, tags and lives; never twice."""

from __future__ import annotations

import hashlib
import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from audiocache.entries import LATEST, NEVER, AudioEntry
from audiocache.models import AudioCacheEntry, Tag
from audiocache.moving import Choice
from audiocache.tiers.clip_files import ClipFiles
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES, ON_SQLITE, NewTier
from tests.audiocache.moving.archives import files_in, lines_in, read, write
from tests.factories import HOUR, NOW, FakeClock, entry

SPOKEN = {"provider": "tone", "model": "m", "voice": "nova", "language": "de"}
LATER = NOW + HOUR // 2


def rows(tier: PersistentTier) -> Any:
    return AudioCacheEntry.objects.using(ALIASES[tier.vendor])


def facts(tier: PersistentTier) -> list[dict[str, Any]]:
    """All that a row says, but its number and what only counts its replacements."""
    found = rows(tier).order_by("key").values()
    for row in found:
        row["audio"] = bytes(row["audio"])
        del row["id"], row["revision"]
    return list(found)


def tags(tier: PersistentTier) -> set[tuple[str, str]]:
    return set(Tag.objects.using(ALIASES[tier.vendor]).values_list("tag", "key"))


def fill(tier: PersistentTier) -> None:
    chance = random.Random(7)
    tier.put_many(
        [
            entry(
                f"phrase {number} ü", parameters=SPOKEN, audio=chance.randbytes(number * 100),
                ttl=HOUR * (number % 4), stale=HOUR, tags=(f"t{number % 3}",), cost=number,
                billed_units=number, duration_ms=number, timings='[["a",0,1]]',
                content_type="audio/mpeg" if number % 2 else "audio/wav",
            )
            for number in range(40)
        ]
    )  # fmt: skip
    rows(tier).filter(billed_units__lt=5).update(pinned=True, expires=NEVER, keep_until=NEVER)
    rows(tier).filter(billed_units=20).update(hits=12, used=NOW - HOUR)


def test_what_is_exported_and_wiped_and_imported_is_the_same(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    fill(sql_tier)
    before, tagged = facts(sql_tier), tags(sql_tier)
    assert write(sql_tier, tmp_path / "clips.tar").exported == 40
    sql_tier.clear()
    assert read(sql_tier, tmp_path / "clips.tar", now=LATER).imported == 40
    assert facts(sql_tier) == before
    assert tags(sql_tier) == tagged
    assert sql_tier.stats()["total_size_bytes"] == sum(row["size"] for row in before)


def test_twice_doubles_nothing_and_leaves_what_was_used_since(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    fill(sql_tier)
    write(sql_tier, tmp_path / "clips.tar")
    newer = entry("phrase 7 ü", parameters=SPOKEN, audio=b"another sound", created=NOW + 5)
    sql_tier.put_many([newer])
    sql_tier.touched({newer.key: 3}, LATER)
    before = facts(sql_tier)
    report = read(sql_tier, tmp_path / "clips.tar")
    assert (report.imported, report.present, report.refused) == (0, 40, 0)
    assert facts(sql_tier) == before


def test_an_interrupted_import_is_ended_by_the_next(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    """Killed between a batch and its pins, too."""
    fill(sql_tier)
    before = facts(sql_tier)
    write(sql_tier, tmp_path / "clips.tar")
    rows(sql_tier).filter(billed_units__gt=10).delete()
    rows(sql_tier).update(pinned=False)
    report = read(sql_tier, tmp_path / "clips.tar")
    assert (report.imported, report.present) == (29, 11)
    assert facts(sql_tier) == before


def test_people_can_open_it(sql_tier: PersistentTier, tmp_path: Path) -> None:
    fill(sql_tier)
    write(sql_tier, tmp_path / "clips.tar")
    files = files_in(tmp_path / "clips.tar")
    head, *lines = lines_in(tmp_path / "clips.tar")
    assert (head["archive"], head["version"], head["entries"]) == ("audiocache", 1, 40)
    assert list(files)[-1] == "manifest.jsonl"
    for line in lines:
        assert line["file"].endswith(".mp3" if line["content_type"] == "audio/mpeg" else ".wav")
        assert hashlib.sha256(files[line["file"]]).hexdigest() == line["sha256"]
        assert line["text"].startswith("phrase ")


def test_lives_are_absolute_and_what_is_past_its_time_is_not_moved(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    sql_tier.put_many([entry("short", ttl=1000), entry("stale", ttl=1000, stale=HOUR)])
    sql_tier.put_many([entry("long", ttl=HOUR), entry("ever", ttl=0)])
    write(sql_tier, tmp_path / "all.tar")
    later = write(sql_tier, tmp_path / "later.tar", now=NOW + 1000)
    assert (later.exported, later.expired) == (3, 1)
    before = facts(sql_tier)
    sql_tier.clear()
    report = read(sql_tier, tmp_path / "all.tar", now=NOW + 1000)
    assert (report.imported, report.expired) == (3, 1)
    assert facts(sql_tier) == [row for row in before if row["text"] != "short"]


@pytest.mark.parametrize(
    ("choice", "texts"),
    [
        (Choice(tags=("a", "b")), {"one", "two"}),
        (Choice(provider="p"), {"two", "three"}),
        (Choice(provider="p", voice="nova"), {"three"}),
        (Choice(model="m"), {"two"}),
        (Choice(pinned=True), {"two", "four"}),
        (Choice(tags=("b",), pinned=True), {"two"}),
        (Choice(tags=("none",)), set()),
    ],
)
def test_a_selection(
    sql_tier: PersistentTier, tmp_path: Path, choice: Choice, texts: set[str]
) -> None:
    sql_tier.put_many(
        [
            entry("one", tags=("a",)),
            entry("two", tags=("a", "b"), parameters={"provider": "p", "model": "m"}),
            entry("three", parameters={"provider": "p", "voice": "nova"}),
            entry("four"),
        ]
    )
    rows(sql_tier).filter(text__in=["two", "four"]).update(pinned=True)
    write(sql_tier, tmp_path / "some.tar", choice=choice)
    head, *lines = lines_in(tmp_path / "some.tar")
    assert {line["text"] for line in lines} == texts
    assert head["entries"] == len(texts)


def test_no_text_leaves_or_enters_where_none_may_be_stored(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    secret = "a text that nobody may keep"
    sql_tier.put_many([entry(secret, audio=b"RIFF")])
    write(sql_tier, tmp_path / "without.tar", store_text=False)
    write(sql_tier, tmp_path / "with.tar")
    assert secret.encode() not in (tmp_path / "without.tar").read_bytes()
    sql_tier.clear()
    read(sql_tier, tmp_path / "with.tar", store_text=False)
    assert rows(sql_tier).get().text is None


def test_nothing_that_is_there_leaves_for_what_comes(
    new_tier: NewTier, sql_kind: str, tmp_path: Path
) -> None:
    fill(new_tier(sql_kind))
    write(new_tier(sql_kind), tmp_path / "clips.tar")
    new_tier(sql_kind).clear()
    small = new_tier(sql_kind, max_entries=12)
    small.put_many([entry(f"mine {number}") for number in range(10)])
    report = read(small, tmp_path / "clips.tar")
    assert (report.imported, report.over_limit) == (2, 38)
    assert rows(small).filter(text__startswith="mine").count() == 10


def test_damaged_rows_are_left_out_and_named(sql_tier: PersistentTier, tmp_path: Path) -> None:
    bad, newer, sound = entry("bad"), entry("newer"), entry("sound")
    sql_tier.put_many([bad, newer, sound])
    rows(sql_tier).filter(key=bad.key).update(audio=b"other")
    rows(sql_tier).filter(key=newer.key).update(schema_version=2)
    report = write(sql_tier, tmp_path / "clips.tar")
    assert (report.exported, report.corrupt, report.newer) == (1, 1, 1)
    assert set(report.left_out) == {f"{bad.key} corrupt", f"{newer.key} newer"}
    assert [line["key"] for line in lines_in(tmp_path / "clips.tar")[1:]] == [sound.key]


def test_clips_of_a_storage_are_moved_as_those_of_rows(
    new_tier: NewTier, sql_kind: str, tmp_path: Path, settings: Any
) -> None:
    options = {"location": str(tmp_path / "storage")}
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {"clips": {"BACKEND": backend, "OPTIONS": options}}
    tier = new_tier(sql_kind, files=ClipFiles(ALIASES[sql_kind], "clips", 1000))
    fill(tier)
    filed = dict(rows(tier).exclude(storage_name="").values_list("key", "storage_name"))
    keys = set(rows(tier).values_list("key", "checksum", "pinned", "expires"))
    assert len(filed) == 29
    assert write(tier, tmp_path / "clips.tar").exported == 40
    lost = next(iter(filed))
    (tmp_path / "storage" / filed[lost]).unlink()
    report = write(tier, tmp_path / "less.tar")
    assert (report.exported, report.left_out) == (39, [f"{lost} unreachable"])
    tier.clear()
    plain = new_tier(sql_kind)
    assert read(plain, tmp_path / "clips.tar").imported == 40
    assert set(rows(plain).values_list("key", "checksum", "pinned", "expires")) == keys


def test_a_file_that_is_there_is_replaced_only_by_force_and_as_a_whole(
    sql_tier: PersistentTier, tmp_path: Path
) -> None:
    path = tmp_path / "clips.tar"
    path.write_bytes(b"mine")
    sql_tier.put_many([entry("a")])
    with pytest.raises(FileExistsError):
        write(sql_tier, path)
    assert path.read_bytes() == b"mine"

    def fail(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(sql_tier, path, force=True, progress=fail)
    assert path.read_bytes() == b"mine"
    write(sql_tier, path, force=True)
    assert len(files_in(path)) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


MIB = 2**20


def peak(work: Any) -> int:
    """Bytes of Python's at most, above those at the beginning."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def moved_in_flat_memory(tier: PersistentTier, path: Path, number: int, size: int) -> None:
    """What is held is a batch, however many there are: half of what is here, at most."""
    for start in range(0, number, 100):
        tier.put_many([_one_of_many(one, size) for one in range(start, start + 100)])
    rows(tier).filter(cost__lt=number // 10).update(pinned=True, expires=NEVER, keep_until=NEVER)
    before = _told(tier)
    assert peak(lambda: write(tier, path)) < 28 * MIB
    tier.clear()
    assert peak(lambda: read(tier, path)) < 28 * MIB
    assert _told(tier) == before
    assert len(before[0]) == len(before[1]) == number


def _one_of_many(number: int, size: int) -> AudioEntry:
    audio, tags = os.urandom(size), (f"t{number % 7}",)
    ttl = HOUR * (1 + number % 4)
    return entry(str(number), ttl=ttl, stale=HOUR, audio=audio, text=None, cost=number, tags=tags)


def _told(tier: PersistentTier) -> tuple[set[tuple[object, ...]], set[tuple[str, str]]]:
    """Keys, sounds, pins and lives; and tags."""
    names = ("key", "checksum", "pinned", "created", "expires", "keep_until", "cost")
    return set(rows(tier).values_list(*names)), tags(tier)


@ON_SQLITE
def test_memory_stays_flat(new_tier: NewTier, tmp_path: Path) -> None:
    moved_in_flat_memory(new_tier("sqlite", max_bytes=0), tmp_path / "a.tar", 300, 200_000)


@pytest.mark.soak
def test_memory_stays_flat_with_ten_thousand(
    new_tier: NewTier, sql_kind: str, tmp_path: Path
) -> None:
    """Must show 6 of issue 7."""
    number = 2_000 if os.environ.get("SOAK") == "short" else 10_000
    moved_in_flat_memory(new_tier(sql_kind, max_bytes=0), tmp_path / "a.tar", number, 48 * 1024)


@ON_SQLITE
def test_what_a_clock_of_later_centuries_stored_is_exported_with_the_others(
    new_tier: NewTier, tmp_path: Path, clock: FakeClock
) -> None:
    tier = new_tier("sqlite")
    tier.put_many([entry("Hello"), entry("Later", created=LATEST, ttl=0)])
    assert write(tier, tmp_path / "clips.tar").exported == 2
    before = facts(tier)
    tier.clear()
    report = read(tier, tmp_path / "clips.tar")
    assert (report.imported, report.refused) == (1, 1)  # by this clock it is not stored yet
    clock.now = LATEST
    assert read(tier, tmp_path / "clips.tar", now=LATEST).imported == 1
    assert facts(tier) == before
