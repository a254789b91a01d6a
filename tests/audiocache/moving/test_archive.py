"""An archive that is not what it says: refused and named, and nothing lost of what was there."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from audiocache.moving import Archive, ArchiveError, archive, tarball
from audiocache.moving.manifest import sealed
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ON_SQLITE, NewTier
from tests.audiocache.moving.archives import files_in, lines_in, pack, read, rewrite, write
from tests.factories import HOUR, NOW, entry

pytestmark = ON_SQLITE

ENTRIES = [entry(f"phrase {n}", audio=b"RIFF" + bytes([n]) * 700, tags=("t",)) for n in range(4)]
MINE = entry("mine")


@pytest.fixture
def tier(new_tier: NewTier) -> PersistentTier:
    made: PersistentTier = new_tier("sqlite")
    return made


@pytest.fixture
def path(tier: PersistentTier, tmp_path: Path) -> Path:
    """An archive of four clips, whose table has only one of its own now."""
    tier.put_many(ENTRIES)
    write(tier, tmp_path / "clips.tar")
    tier.clear()
    tier.put_many([MINE])
    return tmp_path / "clips.tar"


def held(tier: PersistentTier) -> dict[str, bytes]:
    wanted = [one.key for one in (*ENTRIES, MINE)]
    return {key: found.audio for key, found in tier.get_many(wanted).items()}


def assert_refused(tier: PersistentTier, path: Path, reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason) as told:
        read(tier, path)
    assert str(path) in str(told.value)
    assert held(tier) == {MINE.key: MINE.audio}


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def problems_of(tier: PersistentTier, path: Path) -> list[str]:
    """Of the clips, or of the file as a whole."""
    try:
        return read(tier, path).problems
    except ArchiveError as error:
        return [str(error)]


def test_any_flipped_byte_is_found_and_what_is_whole_comes_in(
    tier: PersistentTier, path: Path
) -> None:
    whole = path.read_bytes()
    known = {one.key: one.audio for one in (*ENTRIES, MINE)}
    chance = random.Random(3)
    for at in [*chance.sample(range(len(whole)), 120), 0, 300, 512, len(whole) - 1]:
        flip(path, at)
        named = problems_of(tier, path)
        assert len(named) == 1, at
        assert named[0].startswith(("clips/", str(path))), at
        assert held(tier).items() <= known.items()
        assert MINE.key in held(tier)
        path.write_bytes(whole)
        tier.remove_many([one.key for one in ENTRIES])


def test_the_clip_with_a_flipped_byte_is_named_and_the_others_are_there(
    tier: PersistentTier, path: Path
) -> None:
    name = lines_in(path)[3]["file"]
    with tarfile.open(path) as opened:
        flip(path, opened.getmember(name).offset_data + 5)
    report = read(tier, path)
    assert report.problems == [f"{name}: the sound fails its checksum"]
    assert (report.imported, len(held(tier))) == (3, 4)


def test_a_cut_file_is_refused_wherever_it_was_cut(tier: PersistentTier, path: Path) -> None:
    whole = path.read_bytes()
    for size in [*range(600, len(whole), 997), len(whole) - 1, len(whole) - 512]:
        path.write_bytes(whole[:size])
        assert_refused(tier, path, "cut")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "clips/../x.wav", "clips/00/x", "C:\\x", "manifest.jsonl",
     "clips/00/" + "0" * 64 + ".wav/../../x"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(
    tier: PersistentTier, path: Path, name: str, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    pack(path, {name: b"x"} | files_in(path))
    assert_refused(tier, path, "is not the name of a clip|no manifest")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE,
                                  tarfile.GNUTYPE_SPARSE, tarfile.CHRTYPE])  # fmt: skip
def test_what_is_no_plain_file_is_refused(tier: PersistentTier, path: Path, kind: bytes) -> None:
    with tarfile.open(path, "w") as opened:
        info = tarfile.TarInfo(ENTRIES[0].key)
        info.type, info.linkname = kind, "/etc/passwd"
        opened.addfile(info)
    assert_refused(tier, path, "is no plain file")


def test_a_size_beyond_the_file_takes_no_memory(tier: PersistentTier, path: Path) -> None:
    files = files_in(path)
    name = next(iter(files))
    head = tarball.header(name, 7 * 2**30, 0)
    path.write_bytes(head + path.read_bytes()[512:])
    assert_refused(tier, path, "it is cut in")


def test_a_clip_that_is_too_large_is_refused(
    tier: PersistentTier, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_CLIP", 500)
    assert_refused(tier, path, "has 704 bytes, 500 at most")


def test_an_archive_without_a_manifest_or_of_a_later_release_is_refused(
    tier: PersistentTier, path: Path
) -> None:
    files = files_in(path)
    manifest = files.pop("manifest.jsonl")
    pack(path, files)
    assert_refused(tier, path, "no manifest.jsonl at its end")
    later = {"archive": "audiocache", "version": 2, "entries": 4}
    pack(path, files | {"manifest.jsonl": sealed(later)})
    assert_refused(tier, path, "a later release made it")
    pack(path, files | {"manifest.jsonl": sealed({"hello": 1})})
    assert_refused(tier, path, "is not of audiocache")
    files.popitem()
    pack(path, files | {"manifest.jsonl": manifest})
    assert_refused(tier, path, "speaks of other files than the 3 there")


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "its key is another clip's": lambda line: line.update(namespace="other"),
    "its text is another one": lambda line: line.update(text="another text"),
    "its file is another's": lambda line: line.update(file="clips/00/" + "0" * 64 + ".wav"),
    "a key is none": lambda line: line.update(source_key="../../etc/passwd"),
    "its line is another file's": lambda line: line.update(size=3),
    "the sound fails its checksum": lambda line: line.update(sha256="0" * 64),
    "its life is none": lambda line: line.update(created=NOW + 100 * HOUR),
    "the line has other fields": lambda line: line.update(owner="root"),
    "a field holds what does not belong there": lambda line: line.update(hits=-1),
    "a field holds": lambda line: line.update(tags=["t", "t"]),
    "a field ": lambda line: line.update(pinned="yes"),
    "a field": lambda line: line.update(text=7),
    "an instant is none": lambda line: line.update(created=NOW, keep_until=2**62, expires=2**62),
    "a field h": lambda line: line.update(cost=2**70),
    "a field ho": lambda line: line.update(namespace="a\x00b"),
    "a field hol": lambda line: line.update(text="a\x00b"),
    "a field hold": lambda line: line.update(namespace="a" * 1000),
}


@pytest.mark.parametrize("reason", LIES)
def test_a_line_that_lies_is_refused_with_its_clip_alone(
    tier: PersistentTier, path: Path, reason: str
) -> None:
    key = lines_in(path)[1]["key"]
    rewrite(path, LIES[reason])
    report = read(tier, path)
    assert (report.imported, report.refused) == (3, 1)
    assert reason in report.problems[0]
    assert key not in held(tier)


def test_a_clip_that_is_there_twice_is_brought_in_once(tier: PersistentTier, path: Path) -> None:
    with tarfile.open(path) as opened:
        members = [(one, opened.extractfile(one).read()) for one in opened]  # type: ignore[union-attr]
    head, first, *rest = members[-1][1].splitlines(keepends=True)
    told = lines_in(path)[0] | {"entries": 5}
    del told["sum"]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as opened:
        for info, content in [members[0], *members[:-1]]:
            opened.addfile(info, io.BytesIO(content))
        manifest = b"".join([sealed(told), first, first, *rest])
        members[-1][0].size = len(manifest)
        opened.addfile(members[-1][0], io.BytesIO(manifest))
    report = read(tier, path)
    assert (report.total, report.imported, report.refused) == (5, 4, 1)
    assert head != manifest[: len(head)]


def test_what_the_database_refuses_is_named_and_costs_only_itself(
    tier: PersistentTier, path: Path
) -> None:
    name, key = (lines_in(path)[2][what] for what in ("file", "key"))
    with connections["audiocache"].cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refusing BEFORE INSERT ON audiocache_entry"
            f" WHEN NEW.key = '{key}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    try:
        report = read(tier, path)
        again = read(tier, path)
    finally:
        with connections["audiocache"].cursor() as cursor:
            cursor.execute("DROP TRIGGER refusing")
    assert (report.imported, report.problems) == (3, [f"{name}: the database refuses it"])
    assert (again.present, again.problems) == (3, report.problems)


def test_a_packer_of_somebody_s_own_is_welcome(tier: PersistentTier, path: Path) -> None:
    pack(path, files_in(path))
    assert read(tier, path).imported == 4


def test_an_archive_of_nothing_is_one(tier: PersistentTier, tmp_path: Path) -> None:
    write(tier, tmp_path / "nothing.tar")
    with Archive(tmp_path / "nothing.tar") as opened:
        assert len(opened) == 0
