"""An archive open for reading: clips in their order, each with its line of the manifest.

The manifest comes last, so that an archive can be written in one go. What is wrong with the
archive as such is found before anything is read of it; what is wrong with one clip, with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, NamedTuple, Self

from audiocache.exceptions import AudioCacheError
from audiocache.moving import tarball
from audiocache.moving.manifest import ARCHIVE, KIND, VERSION, Refused, opened
from audiocache.moving.tarball import Member, TarError, shown

MANIFEST: Final = "manifest.jsonl"
MAX_CLIP: Final = 512 * 2**20
"""Bytes of a clip: it is held in memory whole."""
MAX_LINE: Final = 16 * 2**20
MAX_MEMBERS: Final = 10_000_000
_CLIP: Final = re.compile(r"clips/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,5}")


class ArchiveError(AudioCacheError, ValueError):
    """The file is no whole archive; names it and what is wrong."""


class Item(NamedTuple):
    """A clip's member and its line."""

    member: Member
    line: bytes


def is_archive(path: Path) -> bool:
    """Do the file's first bytes say that it is a tar file?"""
    with path.open("rb") as file:
        return file.read(tarball.BLOCK)[tarball.MAGIC] == b"ustar"


class Archive:
    """An archive open for reading, checked as a whole. Raises ArchiveError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] = path.open("rb")
        try:
            self._manifest = self._look_through()
            self.head = self._read_head()
        except (TarError, Refused) as error:
            self.close()
            raise ArchiveError(f"{path} is no whole archive: {error}") from error

    def __len__(self) -> int:
        """Entries."""
        return int(self.head["entries"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def items(self) -> Iterator[Item]:
        """The clips with their lines, in their order."""
        with self.path.open("rb") as lines:
            lines.seek(self._manifest.begins)
            self._line_in(lines)
            for member in tarball.members(self._file):
                if member.name != MANIFEST:
                    yield Item(member, self._line_in(lines))

    def audio(self, member: Member) -> bytes:
        """The bytes of a clip. Raises Refused."""
        try:
            return tarball.read(self._file, member)
        except TarError as error:
            raise Refused(str(error)) from error

    def _look_through(self) -> Member:
        """The manifest, behind clips alone. Raises TarError or Refused."""
        last, self._clips = None, 0
        for member in tarball.members(self._file):
            if last is not None:
                _check_clip(last)
            last, self._clips = member, self._clips + (last is not None)
            if self._clips > MAX_MEMBERS:
                raise Refused("it has too many files")
        if last is None or last.name != MANIFEST:
            raise Refused(f"it has no {MANIFEST} at its end, so it is cut or another's")
        return last

    def _read_head(self) -> dict[str, Any]:
        """The manifest's first line, which agrees with the files that are there."""
        tarball.check_end_of(self._file, self._manifest)
        self._file.seek(self._manifest.begins)
        head = opened(self._line_in(self._file))
        if head.get(ARCHIVE) != KIND or type(head.get("version")) is not int:
            raise Refused(f"its {MANIFEST} is not of audiocache")
        if head["version"] > VERSION:
            raise Refused(f"a later release made it (version {head['version']})")
        if head.get("entries") != self._clips:
            raise Refused(f"its {MANIFEST} speaks of other files than the {self._clips:,} there")
        return head

    def _line_in(self, file: IO[bytes]) -> bytes:
        """The next line, or as much of it as may be one."""
        left = self._manifest.begins + self._manifest.size - file.tell()
        return file.readline(max(0, min(left, MAX_LINE)))


def _check_clip(member: Member) -> None:
    if not _CLIP.fullmatch(member.name):
        raise Refused(f"{shown(member.name)} is not the name of a clip")
    if member.size > MAX_CLIP:
        raise Refused(f"{shown(member.name)} has {member.size:,} bytes, {MAX_CLIP:,} at most")
