"""A folder in which the cache's own file cannot be is told, and nothing is made meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audiocache import checks
from audiocache.database import FILE_NAME

Told = Callable[[Path | str], str]
NOBODY = 65534


@pytest.fixture
def told(settings: Settings, own_aliases: None) -> Told:
    """What the checks say of this folder."""

    def check(folder: Path | str) -> str:
        settings.AUDIOCACHE = {"PERSISTENT_PATH": str(folder)}
        found = checks.check_settings()
        assert {each.id for each in found} <= {"audiocache.W009"}
        return "".join(each.msg for each in found)

    return check


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that another user can come by."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@contextmanager
def as_another_user() -> Iterator[None]:
    """What is not for all is not for us, even where tests are root's."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def doctor() -> list[str]:
    """Names of what it finds: something."""
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audiocache", "doctor", "--json", stdout=out)
    return [found["name"] for found in json.loads(out.getvalue())["findings"]]


def test_a_folder_that_can_be_made_is_not_made(told: Told, tmp_path: Path) -> None:
    assert told(tmp_path / "a" / "b") == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_file_is_no_folder(told: Told, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    said = told(tmp_path / "file" / below)
    assert said.startswith(f"CACHE_PERSISTENT_PATH: {tmp_path / 'file'} is no folder")
    assert {"audiocache.W009", "folder"} <= set(doctor())


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder of Linux's kernel")
@pytest.mark.parametrize("path", ["/proc/nope", "/sys/nope/nope"])
def test_a_folder_of_the_kernel(told: Told, path: str) -> None:
    assert "can make no file" in told(path)
    assert "folder" in doctor()


def test_a_folder_without_permission(told: Told, folder: Path) -> None:
    assert told(folder) == ""
    folder.chmod(0o555)
    with as_another_user():
        assert f"in {folder} this user can make no file" in told(folder / "cache")
        assert "folder" in doctor()
    folder.chmod(0)
    with as_another_user():
        assert "cannot be looked at: PermissionError" in told(folder / "cache")
        assert "folder" in doctor()


def test_a_database_that_is_no_file(told: Told, folder: Path) -> None:
    (folder / FILE_NAME).mkdir()
    assert f"{folder / FILE_NAME} is no file" in told(folder)
    assert "folder" in doctor()


def test_a_database_that_may_not_be_written(told: Told, folder: Path) -> None:
    folder.chmod(0o777)
    (folder / FILE_NAME).touch(0o444)
    with as_another_user():
        assert "may not be read and written" in told(folder)


def test_what_needs_no_file_is_well(settings: Settings, own_aliases: None) -> None:
    settings.AUDIOCACHE = {"PERSISTENT_PATH": "/proc/nope", "BACKEND": "memory"}
    assert checks.check_settings() == []
