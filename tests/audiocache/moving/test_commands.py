"""manage.py audiocache export and import: asked by people, by scripts, and killed."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.core.management import CommandError

from audiocache import MultiTierAudioCache
from audiocache.moving import Archive
from tests.audiocache.moving.archives import files_in, lines_in, rewrite
from tests.audiocache.test_commands import AUDIO, SECRET, cache, memory_only, run, run_json

__all__ = ["cache", "memory_only"]


def test_export_wipe_import(cache: MultiTierAudioCache, tmp_path: Path) -> None:
    path = tmp_path / "clips.tar"
    cache.put(SECRET, AUDIO, voice="a", tags=["t"])
    cache.put("other", AUDIO)
    assert run_json("export", str(path))["exported"] == 2
    cache.clear()
    assert cache.get(SECRET, voice="a") is None
    assert run_json("import", str(path))["imported"] == 2
    assert cache.get(SECRET, voice="a") == AUDIO
    assert run_json("import", str(path))["present"] == 2
    assert SECRET not in run("import", str(path))


def test_what_was_wiped_and_imported_is_heard_in_every_tier(
    cache: MultiTierAudioCache, tmp_path: Path
) -> None:
    """The lives are older than the wiping, which others hear of late."""
    cache.put(SECRET, AUDIO)
    run("export", str(tmp_path / "clips.tar"))
    cache.clear()
    run("import", str(tmp_path / "clips.tar"))
    cache.ladder.following.now()
    assert cache.get(SECRET) == AUDIO
    cache.ladder.following.now()
    assert cache.tiers["persistent"].get(cache.clip(SECRET).key) is not None
    assert cache.get(SECRET) == AUDIO


def test_a_selection_is_exported(cache: MultiTierAudioCache, tmp_path: Path) -> None:
    path = tmp_path / "some.tar"
    cache.put("one", AUDIO, tags=["a"])
    cache.put("two", AUDIO, tags=["b"], provider="p", model="m", voice="v")
    cache.put("three", AUDIO)
    assert "exported" in run("export", str(path), "--tag", "a", "--tag", "b")
    assert {line["text"] for line in lines_in(path)[1:]} == {"one", "two"}
    chosen = ("--provider", "p", "--model", "m", "--voice", "v")
    run("export", str(path), "--force", *chosen)
    assert [line["text"] for line in lines_in(path)[1:]] == ["two"]
    assert run_json("export", str(path), "--force", "--pinned")["exported"] == 0


def test_a_file_that_is_there_stays(cache: MultiTierAudioCache, tmp_path: Path) -> None:
    path = tmp_path / "clips.tar"
    path.write_text("mine")
    with pytest.raises(CommandError, match=r"is there already: --force replaces it"):
        run("export", str(path))
    with pytest.raises(CommandError, match=r"cannot write .*No such file or directory"):
        run("export", str(tmp_path / "nowhere" / "clips.tar"))
    assert path.read_text() == "mine"


def test_what_is_refused_is_named_and_the_exit_status_says_so(
    cache: MultiTierAudioCache, tmp_path: Path
) -> None:
    path = tmp_path / "clips.tar"
    cache.put(SECRET, AUDIO)
    run("export", str(path))
    name = next(iter(files_in(path)))
    rewrite(path, lambda line: line.update(sha256="0" * 64))
    for _ in range(2):  # whether the table has it or not
        with pytest.raises(CommandError, match=r"^1 clips of .*clips.tar were refused"):
            run("import", str(path))
        cache.clear()
    path.write_bytes(path.read_bytes()[:1100])
    with pytest.raises(CommandError, match=rf"clips.tar is no whole archive: it is cut in '{name}"):
        run("import", str(path))


def test_one_command_tells_by_the_bytes_what_it_is_given(
    cache: MultiTierAudioCache, tmp_path: Path
) -> None:
    path = tmp_path / "clips.db"
    run("export", str(path))
    assert run_json("import", str(path))["total"] == 0
    with pytest.raises(CommandError, match=r"--time-zone is of an earlier cache's file"):
        run("import", str(path), "--time-zone", "UTC")
    for content in (b"", b"hello", gzip.compress(path.read_bytes())):
        path.write_bytes(content)
        with pytest.raises(CommandError, match=r"neither an archive .* nor an earlier cache's"):
            run("import", str(path))
    with pytest.raises(CommandError, match=r"is not a file"):
        run("import", str(tmp_path))


@pytest.mark.parametrize("command", ["export", "import"])
def test_without_a_database_tier_there_is_nothing_to_move(
    memory_only: MultiTierAudioCache, tmp_path: Path, command: str
) -> None:
    with pytest.raises(CommandError, match="CACHE_BACKEND has no database tier"):
        run(command, str(tmp_path / "clips.tar"))


# Killed

SITE = """
    import os, signal, sys
    from pathlib import Path
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["audiocache"], USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        AUDIOCACHE={"PERSISTENT_PATH": sys.argv[1], "PERSISTENT_MAX_SIZE": 0},
    )
    django.setup()
    from audiocache import get_audio_cache, moving
    from audiocache.clock import now_ms
    from audiocache.management.moving import table_of
    cache, path = get_audio_cache(), Path(sys.argv[2])
    tier, table = cache.tiers["persistent"], table_of(cache)

    def die(report):
        if report.seen >= 200:
            os.kill(os.getpid(), signal.SIGKILL)

    def count():
        cache.flush()
        return tier.stats()["entry_count"]
"""
FILL = """
    cache.put_many([(f"phrase {n}", b"RIFF" + bytes(500)) for n in range(450)])
    print(moving.export(path, table, now=now_ms()).exported)
"""
KILLED_EXPORT = "moving.export(path, table, now=now_ms(), force=True, progress=die)"
IMPORT = """
    with moving.Archive(path) as archive:
        report = moving.bring_in(archive, tier, table, now=now_ms(), progress={progress})
    print(report.imported, report.present, count())
"""


def site(code: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    script = textwrap.dedent(SITE) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_killed_at_any_time_it_is_run_again(tmp_path: Path) -> None:
    old, new, path = tmp_path / "old", tmp_path / "new", tmp_path / "clips.tar"
    assert site(FILL, old, path).stdout == "450\n"
    whole = path.read_bytes()
    assert site(KILLED_EXPORT, old, path).returncode == -signal.SIGKILL
    assert path.read_bytes() == whole

    assert site(IMPORT.format(progress="die"), new, path).returncode == -signal.SIGKILL
    imported, present, there = map(
        int, site(IMPORT.format(progress=None), new, path).stdout.split()
    )
    assert (imported + present, there) == (450, 450)
    assert present == 200
    with Archive(path) as archive:
        assert json.dumps(archive.head["entries"]) == "450"
