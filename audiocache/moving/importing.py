"""From an archive into the table: in portions, never over an entry, never at one's expense."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from audiocache.entries import AudioEntry
from audiocache.exceptions import TierBusy, TierError, TierUnavailable
from audiocache.legacy.target import Limits, Space
from audiocache.moving.archive import Archive
from audiocache.moving.manifest import Record, Refused, record_in
from audiocache.moving.table import Known, Table
from audiocache.moving.tarball import Member
from audiocache.tiers.persistent import PersistentTier
from audiocache.tiers.sql.batches import portions

NAMED: Final = 1000
"""What is refused is named, so many at most; it is counted in any case."""


@dataclass(slots=True)
class ArchiveReport:
    """What became of the clips of an archive. Each is counted once."""

    total: int = 0
    imported: int = 0
    present: int = 0
    """Not touched: the table has an entry of this key."""
    expired: int = 0
    over_limit: int = 0
    """Left out, so that nothing is evicted for them."""
    refused: int = 0
    """Damaged, or not what the manifest says."""
    problems: list[str] = field(default_factory=list)
    """The refused by the name of their file, with the reason."""

    @property
    def seen(self) -> int:
        """Clips dealt with."""
        return self.imported + self.present + self.expired + self.over_limit + self.refused

    def refuse(self, name: str, reason: str) -> None:
        """Count a clip and name it."""
        self.refused += 1
        if len(self.problems) < NAMED:
            self.problems.append(f"{name}: {reason}")


class Arrival(NamedTuple):
    """A clip whose line is sound."""

    member: Member
    record: Record

    @property
    def key(self) -> str:
        """Of the entry."""
        return self.record.key

    @property
    def size(self) -> int:
        """Bytes of the clip."""
        return self.member.size

    @property
    def known(self) -> Known:
        """Once it is in the table."""
        return Known(self.key, self.record.values["created"], self.record.standing)


Progress = Callable[[ArchiveReport], None]


def bring_in(
    archive: Archive,
    tier: PersistentTier,
    table: Table,
    *,
    now: int,
    store_text: bool = True,
    progress: Progress | None = None,
) -> ArchiveReport:
    """Bring in what the table has not; may be interrupted and repeated. Raises TierError."""
    report = ArchiveReport(total=len(archive))
    held = tier.stats()
    limits = Limits(tier.max_entries, tier.max_bytes)
    space = Space(limits, held["entry_count"], held["total_size_bytes"])
    importing = _Importing(archive, tier, table, now, store_text, report, space)
    for batch in portions(_arrivals(archive, report, now), lambda one: one.size):
        importing.bring(batch)
        if progress is not None:
            progress(report)
    return report


def _arrivals(archive: Archive, report: ArchiveReport, now: int) -> Iterator[Arrival]:
    """The clips whose line is one, and is theirs; the others go into the report."""
    for item in archive.items():
        try:
            record = record_in(item.line, now)
            if (record.values["file"], record.values["size"]) != item.member[:2]:
                raise Refused("its line is another file's")
        except Refused as error:
            report.refuse(item.member.name, str(error))
        else:
            yield Arrival(item.member, record)


@dataclass(slots=True)
class _Importing:
    archive: Archive
    tier: PersistentTier
    table: Table
    now: int
    store_text: bool
    report: ArchiveReport
    space: Space

    def bring(self, batch: Sequence[Arrival]) -> None:
        """A batch: what is alive, not there, and has room."""
        once = {one.key: one for one in batch}
        for one in batch:
            if once[one.key] is not one:
                self.report.refuse(one.member.name, "it is there twice")
        alive = [one for one in once.values() if one.record.values["keep_until"] > self.now]
        there = self.table.there([one.key for one in alive], self.now)
        # Their sounds are looked at, too: an archive that is damaged is no archive of them.
        present = [one for one in alive if one.key in there and self._entry(one)]
        missing = [one for one in alive if one.key not in there]
        fitting = [one for one in missing if self.space.takes(one.size)]
        self.report.expired += len(once) - len(alive)
        self.report.present += len(present)
        self.report.over_limit += len(missing) - len(fitting)
        self.table.stand_again(one.known for one in present)
        self._put(fitting)

    def _put(self, arrivals: Sequence[Arrival]) -> None:
        entries = [entry for one in arrivals if (entry := self._entry(one))]
        taken = self._taken(entries)
        left = {entry.key for entry in entries} - taken
        # Somebody put it in meanwhile, or a later release's row is there; else it is refused.
        there = self.table.there(left, 0) if left else set()
        self.table.stand(one.known for one in arrivals if one.key in taken)
        self.report.imported += len(taken)
        self.report.present += len(there)
        for one in arrivals:
            if one.key in left - there:
                self.report.refuse(one.member.name, "the database refuses it")

    def _entry(self, one: Arrival) -> AudioEntry | None:
        try:
            audio = self.archive.audio(one.member)
            return one.record.entry(audio, store_text=self.store_text)
        except Refused as error:
            self.report.refuse(one.member.name, str(error))
            return None

    def _taken(self, entries: Sequence[AudioEntry]) -> set[str]:
        if not entries:
            return set()
        try:
            return self.tier.put_many(entries, only_missing=True)
        except (TierBusy, TierUnavailable):
            raise
        except TierError:
            return set()
