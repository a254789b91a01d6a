"""From the file into the table: in batches, in the order of last use, never over an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import takewhile
from pathlib import Path

from django.db import transaction

from audiocache.clock import Clock, now_ms
from audiocache.legacy.source import START, Cursor, LegacyFile, Row, names_aside
from audiocache.legacy.target import Limits, Naming, Target
from audiocache.tiers.sql.batches import portions

"""Of audio held in memory at once; one larger clip is a batch of its own."""


@dataclass(slots=True)
class ImportReport:
    """What became of the rows of a file. Each row is counted once."""

    total: int = 0
    """Rows in the file."""
    imported: int = 0
    present: int = 0
    """Not touched: the cache has an entry of this key."""
    expired: int = 0
    corrupt: int = 0
    """Malformed: the key, the audio or a time cannot be read."""
    over_limit: int = 0
    """Left out, the least recently used first, so that nothing is evicted for them."""
    corrupt_rows: list[int] = field(default_factory=list)
    """The rowids of the malformed ones."""

    @property
    def seen(self) -> int:
        """Rows dealt with; those of an earlier, interrupted run are not among them."""
        return self.imported + self.present + self.expired + self.corrupt + self.over_limit


Progress = Callable[[ImportReport], None]


def import_file(
    path: Path | str,
    alias: str,
    *,
    variant: Mapping[str, object] | None = None,
    namespace: str = "",
    max_entries: int = 0,
    max_bytes: int = 0,
    zone: tzinfo | None = None,
    before: Callable[[], None] | None = None,
    progress: Progress | None = None,
    clock: Clock = now_ms,
) -> ImportReport:
    """Bring the rows of an earlier cache's file into the table on `alias`; may be repeated.

    An entry that is there already is left as it is. `zone`: of the file's times, None is this
    process's. `before` is called once the file is recognised, before the first query. Raises
    LegacyFileError, and TypeError or ValueError for the variant and the namespace, before
    anything is written.
    """
    naming = Naming.of(variant or {}, namespace)
    path = Path(path)
    with closing(LegacyFile(path)):
        inode = path.stat().st_ino
    if before is not None:
        before()
    with closing(LegacyFile(_where_now(path, inode), zone)) as source:
        target = Target(alias, naming, Limits(max_entries, max_bytes), clock)
        return bring(source, target, progress=progress)


def _where_now(path: Path, inode: int) -> Path:
    """Of a file that lay where the cache's own is made: it was set aside for that.

    It must not stay open for it: SQLite finds the journal of the new one by the old name.
    """
    places = filter(Path.exists, [path, *takewhile(Path.exists, names_aside(path))])
    return next((place for place in places if place.stat().st_ino == inode), path)


def bring(
    source: LegacyFile,
    target: Target,
    *,
    begin: Cursor = START,
    mark: Callable[[Cursor], None] | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """The rows behind `begin`; `mark` is told how far it came, within each transaction."""
    report = ImportReport(total=len(source))
    for batch in portions(_well_formed(source.rows(begin), report), lambda row: row.size):
        # One transaction with the mark: killed at any point, no row is lost or counted twice.
        with transaction.atomic(using=target.alias):
            _bring_batch(source, target, batch, report)
            if mark is not None:
                mark(batch[-1].cursor)
        if progress is not None:
            progress(report)
    return report


def _bring_batch(
    source: LegacyFile, target: Target, batch: Sequence[Row], report: ImportReport
) -> None:
    alive = [row for row in batch if row.expires > target.now]
    missing = target.missing(alive)
    wanted = target.fitting(missing)
    imported = target.insert(wanted, source.audio(wanted)) if wanted else 0
    report.expired += len(batch) - len(alive)
    report.over_limit += len(missing) - len(wanted)
    report.imported += imported
    # With those that came in between.
    report.present += len(alive) - len(missing) + len(wanted) - imported


def _well_formed(rows: Iterable[Row | int], report: ImportReport) -> Iterator[Row]:
    """The rows; the malformed ones go into the report."""
    for row in rows:
        if isinstance(row, Row):
            yield row
        else:
            report.corrupt += 1
            report.corrupt_rows.append(row)
