"""From the table into an archive: in portions, into a file that appears when it is whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from audiocache.conf import PERSISTENT
from audiocache.entries import AudioEntry
from audiocache.exceptions import CorruptEntry, NewerSchema
from audiocache.moving import tarball
from audiocache.moving.archive import MANIFEST, MAX_CLIP
from audiocache.moving.manifest import file_of, head_of, line_of
from audiocache.moving.table import Choice, Stored, Table
from audiocache.rows import AUDIO, READ, entry_in

KEY: Final = READ.index("key")


@dataclass(slots=True)
class ExportReport:
    """What became of the chosen rows. Each is counted once."""

    exported: int = 0
    bytes: int = 0
    expired: int = 0
    """Past their time, and only not yet cleaned up."""
    corrupt: int = 0
    """The row fails its own checks."""
    newer: int = 0
    """Of a later release, which alone can read it."""
    unreachable: int = 0
    """The sound lies in a storage that does not have it, or does not answer."""
    oversize: int = 0
    """Too large to be brought in again."""
    left_out: list[str] = field(default_factory=list)
    """The keys of the corrupt, newer, unreachable and oversize, each with the reason."""

    def leave_out(self, why: str, key: str) -> None:
        """Count a row and name it."""
        setattr(self, why, getattr(self, why) + 1)
        self.left_out.append(f"{key} {why}")

    @property
    def seen(self) -> int:
        """Rows dealt with."""
        left_out = self.corrupt + self.newer + self.unreachable + self.oversize
        return self.exported + self.expired + left_out


def export(
    path: Path,
    table: Table,
    *,
    now: int,
    choice: Choice = Choice(),  # noqa: B008 - a constant
    store_text: bool = True,
    force: bool = False,
    progress: Callable[[ExportReport], None] | None = None,
) -> ExportReport:
    """Write the rows that are kept at `now` (ms) into a new file, readable by its owner alone.

    Raises FileExistsError unless `force` replaces the file; OSError and TierError leave nothing.
    """
    report = ExportReport()
    with _new_file(path, force=force) as file, tempfile.TemporaryFile(dir=path.parent) as lines:
        for portion in table.chosen(choice):
            for entry, stored in _sound(portion, report, now):
                name = file_of(entry.key, entry.content_type)
                tarball.add(file, name, entry.audio, entry.created // 1000)
                lines.write(line_of(entry, stored.standing, store_text=store_text))
            if progress is not None:
                progress(report)
        _finish(file, lines, report, now)
    return report


def _sound(
    portion: list[Stored], report: ExportReport, now: int
) -> Iterator[tuple[AudioEntry, Stored]]:
    """The entries of rows that are whole and kept; the others go into the report."""
    for stored in portion:
        try:
            entry = entry_in(stored.values, PERSISTENT)
        except NewerSchema:
            lost = stored.filed and stored.values[AUDIO] is None
            report.leave_out("unreachable" if lost else "newer", stored.values[KEY])
        except CorruptEntry:
            report.leave_out("corrupt", stored.values[KEY])
        else:
            if _is_wanted(entry, report, now):
                yield entry, stored


def _is_wanted(entry: AudioEntry, report: ExportReport, now: int) -> bool:
    if entry.keep_until <= now:
        report.expired += 1
    elif entry.size > MAX_CLIP:
        report.leave_out("oversize", entry.key)
    else:
        report.exported += 1
        report.bytes += entry.size
        return True
    return False


def _finish(file: IO[bytes], lines: IO[bytes], report: ExportReport, now: int) -> None:
    """The manifest: its first line says how much there is, so it is written last."""
    told = datetime.fromtimestamp(now / 1000, tz=UTC).isoformat(timespec="seconds")
    head = head_of(report.exported, report.bytes, told)
    tarball.add_file(file, MANIFEST, head, lines, now // 1000)
    file.write(tarball.END)


@contextmanager
def _new_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Under another name until it is whole and on the disk. It holds texts: its owner's alone."""
    _refuse(path, force=force)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)  # of an earlier process of this number
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse(path, force=force)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _refuse(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already")
