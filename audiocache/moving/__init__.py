"""An archive of the table: written from it, and brought into another one.

    rows -> exporting -> archive (a tar file: clips, and a manifest in JSON lines)
    archive -> importing -> rows that are not there yet

`tarball` knows blocks, `archive` which members there are, `manifest` what a line says,
`table` the rows. Nothing is held in memory but one batch of clips.
"""

from __future__ import annotations

from audiocache.moving.archive import Archive, ArchiveError, is_archive
from audiocache.moving.exporting import ExportReport, export
from audiocache.moving.importing import ArchiveReport, bring_in
from audiocache.moving.table import Choice, Table

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveReport",
    "Choice",
    "ExportReport",
    "Table",
    "bring_in",
    "export",
    "is_archive",
]
