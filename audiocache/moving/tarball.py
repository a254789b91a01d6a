"""A tar file member by member. `tarfile` itself would keep every member in memory, unpack links
and sparse files, and say nothing of a damaged end.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from typing import IO, Final, NamedTuple

from audiocache.exceptions import AudioCacheError

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
MAGIC: Final = slice(257, 262)
LARGEST: Final = 8 * 2**30 - 1
"""Bytes that the size of a member can say."""
LATEST: Final = 8**11 - 1
"""And seconds that its time can: in the year 2242. The manifest has a clip's own."""


class TarError(AudioCacheError, ValueError):
    """The file is not such a tar file; says where."""


class Member(NamedTuple):
    """A file in the tar file."""

    name: str
    size: int
    begins: int
    """Where its bytes begin."""

    @property
    def ends(self) -> int:
        """Where the next member begins."""
        return self.begins + self.size + _padding(self.size)


def header(name: str, size: int, seconds: int) -> bytes:
    """The block before a member; `seconds`: its time, for who unpacks it. Raises ValueError."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, min(seconds, LATEST), 0o600
    return info.tobuf(tarfile.USTAR_FORMAT)


def add(file: IO[bytes], name: str, audio: bytes, seconds: int) -> None:
    """Write a member."""
    file.write(header(name, len(audio), seconds))
    file.write(audio)
    file.write(bytes(_padding(len(audio))))


def add_file(file: IO[bytes], name: str, head: bytes, source: IO[bytes], seconds: int) -> None:
    """Write a member of a beginning, and of all that `source` holds."""
    size = len(head) + source.seek(0, 2)
    source.seek(0)
    file.write(header(name, size, seconds) + head)
    shutil.copyfileobj(source, file)
    file.write(bytes(_padding(size)))


def members(file: IO[bytes]) -> Iterator[Member]:
    """The members in their order, without their bytes. Raises TarError where it is damaged."""
    total, at = file.seek(0, 2), 0
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if not any(block) and len(block) == BLOCK:
            _check_end(file, at)
            return
        member = _member_in(block, at)
        if member.ends > total:
            raise TarError(f"it is cut in {shown(member.name)}")
        yield member
        at = member.ends


def read(file: IO[bytes], member: Member) -> bytes:
    """The bytes of a member, which are as many as it says. Raises TarError."""
    check_end_of(file, member)
    file.seek(member.begins)
    return file.read(member.size)


def check_end_of(file: IO[bytes], member: Member) -> None:
    """Up to the next block there is nothing. Raises TarError."""
    file.seek(member.begins + member.size)
    if any(file.read(_padding(member.size))):
        raise TarError(f"{shown(member.name)} is damaged at its end")


def shown(name: str) -> str:
    """A name as it may stand on a terminal."""
    return ascii(name[:100])


def _member_in(block: bytes, at: int) -> Member:
    if len(block) < BLOCK:
        raise TarError(f"it is cut at byte {at + len(block):,}")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise TarError(f"the header at byte {at:,} is damaged") from error
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or not 0 <= info.size <= LARGEST:
        raise TarError(f"{shown(info.name)} is no plain file")
    return Member(info.name, info.size, at + BLOCK)


def _check_end(file: IO[bytes], at: int) -> None:
    """Two empty blocks and nothing else, as many as there are."""
    empty = BLOCK
    while block := file.read(64 * BLOCK):
        if any(block):
            raise TarError(f"there is something behind its end at byte {at:,}")
        empty += len(block)
    if empty < len(END) or empty % BLOCK:
        raise TarError("it is cut at its end")


def _padding(size: int) -> int:
    return -size % BLOCK
