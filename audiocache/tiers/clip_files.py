"""Files of clips in a Django storage, which may be a folder, a bucket or anybody's own."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import connections

from audiocache.circuit import Circuit
from audiocache.content_types import extension
from audiocache.database import in_memory
from audiocache.entries import AudioEntry
from audiocache.exceptions import TierError, TierUnavailable
from audiocache.tiers.sql.batches import batches
from audiocache.workers import Workers

R = TypeVar("R")

FOLDER: Final = "clips"
"""In the storage; beside a SQLite file it is a folder of this name."""
MARK: Final = "audiocache.txt"
"""Lies in each home: who finds it there has that storage, and not another one."""
_HOME: Final = re.compile(r"clips/[0-9a-f]{16}")
_NAME: Final = re.compile(r"(clips/[0-9a-f]{16})/[0-9a-f]{2}/([0-9a-f]{64})-[0-9a-f]{16}[\w.-]*")


class FileTrouble(TierError):
    """The storage does not answer, or is not the one in which the file lies."""


def home_of(name: str) -> str:
    """Where a file lies. Raises FileTrouble for a name that is none of ours."""
    if not (found := _NAME.fullmatch(name)):
        raise FileTrouble("its file has no name of ours")
    return found[1]


def key_of(name: str) -> str:
    """The key of the entry whose file this is; empty when it is none of ours."""
    found = _NAME.fullmatch(name)
    return found[2] if found else ""


def new_home() -> str:
    """A name that no other table has."""
    return f"{FOLDER}/{secrets.token_hex(8)}"


class ClipFiles:
    """Every method raises FileTrouble alone. After one, the storage is left alone for a while."""

    def __init__(self, alias: str, storage: str = "", inline_max: int = 0) -> None:
        self.inline_max = inline_max
        """Bytes of a clip that stays in its row; 0: however many."""
        self._alias = alias
        self._storage_alias = storage
        self._circuit = Circuit("clips")
        self._workers = Workers("audiocache-clips", 2)

    @property
    def exists(self) -> bool:
        """Is there a storage at all? There is none beside a server or a database in memory."""
        return bool(self._storage_alias) or self._folder is not None

    def takes(self, entry: AudioEntry) -> bool:
        """Is it too large for its row?"""
        return 0 < self.inline_max < entry.size and self.exists

    def save(self, home: str, entry: AudioEntry) -> str:
        """The name under which the sound lies now; no other file ever has it."""
        ending = extension(entry.content_type)
        name = f"{home}/{entry.key[:2]}/{entry.key}-{secrets.token_hex(8)}.{ending}"
        with self._trouble() as storage:
            saved = str(storage.save(name, ContentFile(entry.audio)))
        home_of(saved)
        return saved

    def read(self, name: str, size: int) -> bytes | None:
        """The sound, one byte more at most; None: there is no such file."""
        home_of(name)

        def look(storage: Storage) -> bytes:
            with storage.open(name, "rb") as file:
                return bytes(file.read(size + 1))

        return self._unless_gone(name, look)

    def sound(self, name: str, size: int) -> bytes | None:
        """See `read`; None: it is lost. Raises FileTrouble when nobody can tell."""
        if (sound := self.read(name, size)) is None:
            self._look_for_home(name)
        return sound

    def lacks(self, name: str) -> bool:
        """Is this file lost? Raises FileTrouble when nobody can tell."""
        home_of(name)
        with self._trouble() as storage:
            there = bool(storage.exists(name))
        if not there:
            self._look_for_home(name)
        return not there

    def _look_for_home(self, name: str) -> None:
        if not self.has(home_of(name)):
            raise FileTrouble("its file lies in another storage")

    def mark(self, home: str) -> None:
        """Let the home be known by the storage."""
        with self._trouble() as storage:
            storage.save(f"{home}/{MARK}", ContentFile(b"Clips of django-audiocache.\n"))

    def has(self, home: str) -> bool:
        """Is it in this storage?"""
        if not _HOME.fullmatch(home):
            return False
        with self._trouble() as storage:
            return bool(storage.exists(f"{home}/{MARK}"))

    def drop(self, names: Iterable[str]) -> None:
        """Delete files: those of a folder now, others soon. One that fails is left to the sweep."""
        ours = [name for name in names if key_of(name)]
        if ours and self._storage_alias:
            self._workers.submit(lambda: self._delete(ours))
        elif ours:
            self._delete(ours)

    def _delete(self, names: Iterable[str]) -> None:
        try:
            for name in names:
                with self._trouble() as storage:
                    storage.delete(name)
        except FileTrouble:
            return  # the circuit has said it

    def finish(self) -> None:
        """Wait for the deletions that were begun."""
        self._workers.finish()

    def close(self) -> None:
        """As `finish`, and end the threads; the next deletion starts others."""
        self._workers.close(connections.close_all)

    def without_row(
        self, home: str, named: Callable[[list[str]], Collection[str]], until: float
    ) -> Iterator[list[str]]:
        """Files in a home, written by `until` (seconds since the epoch), that no row names.

        `named`: the files that the rows of these keys have.
        """
        for portion in self.listed(home):
            for names in batches(portion):
                known = named(list(map(key_of, names)))
                lost = (name for name in names if name not in known)
                yield [name for name in lost if self.written(name) <= until]

    def listed(self, home: str) -> Iterator[list[str]]:
        """The names of the files in a home, a portion each time."""
        with self._trouble() as storage:
            parts, _ = storage.listdir(home)
        for part in parts:
            with self._trouble() as storage:
                _, files = storage.listdir(f"{home}/{part}")
            yield [name for file in files if key_of(name := f"{home}/{part}/{file}")]

    def written(self, name: str) -> float:
        """When, in seconds since the epoch; NaN, which is before nothing: it has gone."""
        found = self._unless_gone(name, lambda storage: storage.get_modified_time(name))
        return math.nan if found is None else float(found.timestamp())

    def _unless_gone(self, name: str, look: Callable[[Storage], R]) -> R | None:
        """What is seen of a file; None: there is none. Buckets say that by errors of their own."""
        with self._trouble() as storage:
            try:
                return look(storage)
            except Exception:
                if storage.exists(name):
                    raise
                return None

    @property
    def _folder(self) -> Path | None:
        """Beside the SQLite file, whose name a test run changes."""
        settings = connections[self._alias].settings_dict
        name = str(settings["NAME"])
        is_file = settings["ENGINE"].endswith("sqlite3") and not in_memory(name)
        return Path(name).parent if is_file else None

    def _storage(self) -> Storage:
        if self._storage_alias:
            return storages[self._storage_alias]
        if (folder := self._folder) is None:
            raise FileTrouble("there is no storage")
        # Readable by whom the database is.
        name = str(connections[self._alias].settings_dict["NAME"])
        return FileSystemStorage(folder, file_permissions_mode=Path(name).stat().st_mode & 0o666)

    @contextmanager
    def _trouble(self) -> Iterator[Storage]:
        if not self._circuit.allows():
            raise FileTrouble("the storage is in trouble")
        try:
            yield self._storage()
        except FileTrouble:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the storage's own library raises
            told = type(error).__name__
            self._circuit.failed(TierUnavailable(f"the storage: {told}"))
            raise FileTrouble(f"the storage: {told}") from None
        self._circuit.worked()
