"""System check of the folder of the cache's own file. It makes nothing and opens nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.core import checks
from django.db import connections

from audiocache.conf import CacheConfig
from audiocache.database import in_memory, is_own_file

USED: Final = os.R_OK | os.W_OK
_BY_EFFECT: Final = os.access in os.supports_effective_ids


def folder(config: CacheConfig, alias: str) -> Iterator[checks.CheckMessage]:
    """Can the file be there, or be made?"""
    if (wrong := obstacle(alias)) is not None:
        which = "CACHE_PERSISTENT_PATH" if config.persistent_path else "The cache's own file"
        yield checks.Warning(
            f"{which}: {wrong}. Nothing is kept over a restart.",
            hint="Set CACHE_PERSISTENT_PATH to a folder in which this user may write.",
            id="audiocache.W009",
        )


def obstacle(alias: str) -> str | None:
    """What keeps the cache from reading, writing or making a file of its own."""
    name = str(connections[alias].settings_dict["NAME"])
    if not is_own_file(alias) or in_memory(name):
        return None
    try:
        return _of_file(Path(name)) or _of_folder(Path(name).parent)
    except OSError as error:
        return f"{name} cannot be looked at: {type(error).__name__}"


def _of_file(file: Path) -> str | None:
    if not file.exists():
        return None
    if not file.is_file():
        return f"{file} is no file"
    return None if _may(file, USED) else f"{file} may not be read and written by this user"


def _of_folder(folder: Path) -> str | None:
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    # SQLite makes its log beside the file.
    if not _may(nearest, os.W_OK | os.X_OK) or _is_of_kernel(nearest):
        return f"in {nearest} this user can make no file"
    return None


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=_BY_EFFECT)


def _is_of_kernel(folder: Path) -> bool:
    """As /proc: a superuser is told that he may write, and cannot."""
    return not folder.stat().st_mode & 0o222 and not shutil.disk_usage(folder).total
