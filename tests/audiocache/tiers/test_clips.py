"""Large clips in a storage: never a row without its sound, no file without a row for long."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import transaction

from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.models import AudioCacheEntry
from audiocache.removals import KEY, Removal
from audiocache.tiers.clip_files import MARK, ClipFiles
from audiocache.tiers.persistent import PersistentTier
from tests.audiocache.conftest import ALIASES, NewTier
from tests.factories import HOUR, NOW, FakeClock, entry

LARGE = entry("large", audio=b"RIFF" + bytes(5000), tags=("t",))
SMALL = entry("small", audio=b"RIFF")
FOLDERS = {"BACKEND": "django.core.files.storage.FileSystemStorage"}

NewClips = Callable[..., PersistentTier]


class Broken(FileSystemStorage):
    """One whose server is away."""

    def _open(self, name: str, mode: str = "rb") -> Any:
        raise RuntimeError("away")

    def _save(self, name: str, content: Any) -> str:
        raise RuntimeError("away")


class Vanishing(FileSystemStorage):
    """One in which another process deletes what is looked at."""

    def get_modified_time(self, name: str) -> Any:
        self.delete(name)
        return super().get_modified_time(name)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where the storage `clips` has its files; `broken` is the same one, out of order."""
    options = {"OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {
        "clips": FOLDERS | options,
        "broken": {"BACKEND": f"{__name__}.Broken"} | options,
        "vanishing": {"BACKEND": f"{__name__}.Vanishing"} | options,
        "elsewhere": FOLDERS | {"OPTIONS": {"location": str(tmp_path / "other")}},
    }
    return tmp_path


@pytest.fixture
def new_clips(folder: Path, new_tier: NewTier, sql_kind: str) -> NewClips:
    """Tiers whose clips above a thousand bytes lie in the storage."""

    def make(storage: str = "clips", inline_max: int = 1000, **more: Any) -> PersistentTier:
        files = ClipFiles(ALIASES[sql_kind], storage, inline_max)
        tier: PersistentTier = new_tier(sql_kind, files=files, **more)
        return tier

    return make


@pytest.fixture
def tier(new_clips: NewClips) -> PersistentTier:
    return new_clips()


def rows(tier: PersistentTier) -> Any:
    return AudioCacheEntry.objects.using(ALIASES[tier.vendor])


def files(folder: Path, tier: PersistentTier) -> set[str]:
    """The clips there, once all that was begun is done."""
    tier.clips.files.finish()
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {str(path.relative_to(folder)) for path in found}


def named(tier: PersistentTier) -> set[str]:
    return set(rows(tier).exclude(storage_name="").values_list("storage_name", flat=True))


def test_a_tier_that_is_closed_has_no_threads_and_may_be_used_again(
    tier: PersistentTier, folder: Path
) -> None:
    def threads() -> list[str]:
        return [
            one.name for one in threading.enumerate() if one.name.startswith("audiocache-clips")
        ]

    for _ in range(2):
        tier.put_many([LARGE])
        tier.remove_many([LARGE.key])
        assert threads()
        tier.close()
        assert threads() == []
    assert files(folder, tier) == set()


def test_a_large_clip_lies_in_the_storage_and_a_small_one_in_its_row(
    tier: PersistentTier, folder: Path
) -> None:
    assert tier.put_many([LARGE, SMALL]) == {LARGE.key, SMALL.key}
    found = tier.get_many([LARGE.key, SMALL.key])
    assert {key: one.audio for key, one in found.items()} == {
        LARGE.key: LARGE.audio, SMALL.key: SMALL.audio,
    }  # fmt: skip
    assert found[LARGE.key]._replace(tier="origin") == LARGE
    assert tier.has_many([LARGE.key, SMALL.key], NOW) == {LARGE.key, SMALL.key}
    [name] = files(folder, tier)
    assert (folder / name).read_bytes() == LARGE.audio
    assert named(tier) == {name}
    assert rows(tier).get(key=LARGE.key).audio is None
    assert tier.stats()["total_size_bytes"] == LARGE.size + SMALL.size


def expire(clock: FakeClock) -> int:
    clock.now = NOW + HOUR
    return clock.now


LEAVE: dict[str, Callable[[PersistentTier, FakeClock], object]] = {
    "remove": lambda tier, clock: tier.remove_many([LARGE.key]),
    "remove by tag": lambda tier, clock: tier.remove_group("tags", "t"),
    "remove by text": lambda tier, clock: tier.remove_group("text_digest", LARGE.text_digest),
    "clear": lambda tier, clock: tier.clear(),
    "replace by a small one": lambda tier, clock: tier.put_many(
        [entry("large", audio=b"RIFF", created=NOW + 1)]
    ),
    "expire": lambda tier, clock: (expire(clock), tier.cleanup()),
    "sweep": lambda tier, clock: (expire(clock), tier.put_many([entry("later", ttl=9 * HOUR)])),
    "a removal that another host tells of": lambda tier, clock: tier.apply(
        [Removal(KEY, LARGE.key)]
    ),
}


@pytest.mark.parametrize("way", LEAVE)
def test_with_a_row_its_file_goes(
    tier: PersistentTier, folder: Path, clock: FakeClock, way: str
) -> None:
    tier.put_many([LARGE])
    assert len(files(folder, tier)) == 1
    tier.tidying.due = 0.0
    LEAVE[way](tier, clock)
    assert files(folder, tier) == named(tier) == set()


def test_the_file_of_an_evicted_row_goes(new_clips: NewClips, folder: Path) -> None:
    tier = new_clips(max_entries=2)
    for number in range(5):
        tier.put_many([entry(str(number), audio=bytes(3000 + number))])
    assert files(folder, tier) == named(tier)
    assert len(named(tier)) == 2


def test_a_replacement_has_a_file_of_its_own(tier: PersistentTier, folder: Path) -> None:
    tier.put_many([LARGE])
    before = files(folder, tier)
    newer = entry("large", audio=b"RIFF" + bytes(6000), created=NOW + 1)
    tier.put_many([newer])
    assert files(folder, tier) == named(tier) != before
    found = tier.get(LARGE.key)
    assert found is not None
    assert found.audio == newer.audio


def test_what_is_not_taken_leaves_no_file(tier: PersistentTier, folder: Path) -> None:
    tier.put_many([LARGE])
    assert tier.put_many([LARGE], only_missing=True) == set()
    assert files(folder, tier) == named(tier)
    refused = entry("refused", audio=bytes(3000), cost=2**80)
    with pytest.raises(Exception, match=r"\w"):
        tier.put_many([refused])
    assert files(folder, tier) == named(tier)


def test_a_removal_that_is_rolled_back_costs_no_file(tier: PersistentTier, folder: Path) -> None:
    tier.put_many([LARGE])
    alias = ALIASES[tier.vendor]
    with transaction.atomic(using=alias):
        tier.remove_many([LARGE.key])
        transaction.set_rollback(True, using=alias)
    assert tier.get(LARGE.key) is not None
    assert files(folder, tier) == named(tier)


def test_a_missing_file_is_a_counted_miss_and_the_row_goes(
    tier: PersistentTier, folder: Path
) -> None:
    tier.put_many([LARGE])
    [name] = named(tier)
    (folder / name).unlink()
    assert tier.get(LARGE.key) is None
    assert (tier.counts["corrupt"], rows(tier).count()) == (1, 0)


@pytest.mark.parametrize("content", [b"", LARGE.audio[:-1], LARGE.audio + b"x", bytes(5004)])
def test_a_damaged_file_is_a_counted_miss_and_goes(
    tier: PersistentTier, folder: Path, content: bytes
) -> None:
    tier.put_many([LARGE])
    [name] = named(tier)
    (folder / name).write_bytes(content)
    assert tier.get(LARGE.key) is None
    assert (tier.counts["corrupt"], rows(tier).count()) == (1, 0)
    assert files(folder, tier) == set()


@pytest.mark.parametrize("storage", ["broken", "elsewhere"])
def test_a_storage_that_is_away_or_another_one_costs_no_row(
    new_clips: NewClips, folder: Path, storage: str
) -> None:
    new_clips().put_many([LARGE, SMALL])
    away = new_clips(storage)
    assert set(away.get_many([LARGE.key, SMALL.key])) == {SMALL.key}
    assert away.counts["unreachable"] == 1
    away.cleanup()
    assert new_clips().get(LARGE.key) is not None


def test_while_the_storage_is_away_a_clip_lies_in_its_row(
    new_clips: NewClips, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = new_clips("broken")
    for number in range(3):
        away.put_many([entry(str(number), audio=bytes(5000))])
    assert rows(away).filter(storage_name="", audio__isnull=False).count() == 3
    assert caplog.text.count("the storage: RuntimeError") == 1


def test_what_lies_in_the_storage_stays_readable_when_new_clips_do_not(
    new_clips: NewClips, folder: Path
) -> None:
    new_clips().put_many([LARGE])
    tier = new_clips(inline_max=0)
    assert tier.get(LARGE.key) is not None
    tier.put_many([LARGE._replace(created=NOW + 1)])
    assert files(folder, tier) == named(tier) == set()


@pytest.mark.parametrize(
    ("error", "left"), [(TierUnavailable("behind the commit"), 1), (TierBusy("before it"), 0)]
)
def test_a_file_whose_row_may_stand_there_is_left_to_the_sweep(
    tier: PersistentTier, folder: Path, error: TierError, left: int
) -> None:
    with pytest.raises(type(error)), tier.clips.filed([LARGE]):
        raise error
    assert len(files(folder, tier)) == left


def test_no_row_costs_a_query_of_its_own(tier: PersistentTier) -> None:
    """As many statements for sixty rows as for one."""
    many = [entry(str(number), audio=bytes(2000)) for number in range(60)]
    tier.put_many(many)
    asked: list[str] = []
    query = tier._database.query

    def noted(sql: str, values: Any = ()) -> list[Any]:
        asked.append(sql)
        return query(sql, values)

    tier._database.query = noted  # type: ignore[method-assign]
    tier.remove_many([one.key for one in many])
    assert len(asked) == 1


# Clean-up


def test_clean_up_deletes_old_files_without_a_row_and_no_others(
    tier: PersistentTier, folder: Path
) -> None:
    tier.put_many([LARGE])
    [name] = named(tier)
    lost, young = name.replace(LARGE.key, "0" * 64), name.replace(LARGE.key, "1" * 64)
    foreign = name.replace(name.split("/")[1], "f" * 16)
    for one in (lost, young, foreign, "mine.txt"):
        (folder / one).parent.mkdir(parents=True, exist_ok=True)
        (folder / one).write_bytes(b"x")
    for one in (name, lost, foreign, "mine.txt"):
        os.utime(folder / one, (time.time() - 3700,) * 2)
    tier.cleanup()
    assert files(folder, tier) == {name, young, foreign, "mine.txt"}
    assert tier.get(LARGE.key) is not None


def test_a_file_that_goes_while_it_is_looked_at_is_no_trouble(
    new_clips: NewClips, folder: Path
) -> None:
    tier = new_clips("vanishing")
    tier.put_many([LARGE])
    [name] = named(tier)
    lost = folder / name.replace(LARGE.key, "0" * 64)
    lost.parent.mkdir(parents=True, exist_ok=True)
    lost.write_bytes(b"x")
    assert list(tier.clips.without_row()) == []
    assert tier.put_many([LARGE._replace(created=NOW + 1)]) == {LARGE.key}
    assert len(named(tier)) == 1, "the storage is used on"


def test_a_lost_folder_is_begun_anew(tier: PersistentTier, folder: Path) -> None:
    tier.put_many([LARGE])
    shutil.rmtree(folder / "clips")
    assert tier.get(LARGE.key) is None
    assert tier.put_many([LARGE._replace(created=NOW + 1)]) == {LARGE.key}
    assert tier.get(LARGE.key) is not None


# Killed

WRITER = """
    import itertools, os, sys
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["audiocache"], USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        AUDIOCACHE={"PERSISTENT_PATH": sys.argv[1], "INLINE_MAX_KB": 1, "PERSISTENT_MAX_SIZE": 20,
                    "BACKEND": "sqlite"},
    )
    django.setup()
    from audiocache import get_audio_cache
    cache = get_audio_cache()
    if sys.argv[2] == "write":
        for number in itertools.count():
            cache.put(f"text {number % 30}", os.urandom(20_000))
            os.write(1, b".")
    tier = cache.tiers["persistent"]
    tier.clips.sweep(older_than=-5)
    from audiocache.models import AudioCacheEntry
    from pathlib import Path
    rows = dict(AudioCacheEntry.objects.values_list("key", "storage_name"))
    held = len(tier.get_many(list(rows)))
    files = {p.name for p in Path(sys.argv[1]).rglob("clips/*/*/*")}
    print(len(rows), held, files == {name.rpartition("/")[2] for name in rows.values()})
"""


def process(folder: Path, what: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(folder), what],
        env=environment, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_killed_writers_leave_no_row_without_sound_and_after_clean_up_no_sound_without_row(
    tmp_path: Path,
) -> None:
    for puts in (25, 41):
        writer = process(tmp_path, "write")
        assert writer.stdout is not None
        assert len(writer.stdout.read(puts)) == puts
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=30)
    told, _ = process(tmp_path, "look").communicate(timeout=60)
    count, held, agree = told.decode().split()
    assert count == held
    assert agree == "True"
    assert 0 < int(count) <= 21
