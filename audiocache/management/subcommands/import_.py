"""audiocache import: an archive, or the rows of an earlier cache's SQLite file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError

from audiocache.cache import MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.conf import MIB
from audiocache.legacy import ImportReport, LegacyFileError, import_file
from audiocache.management.moving import (
    alias_of,
    cache_with_table,
    patiently,
    show_progress,
    table_of,
    tier_of,
)
from audiocache.management.subcommand import Subcommand, add_json
from audiocache.moving import Archive, ArchiveError, ArchiveReport, bring_in, is_archive

SHOWN: Final = 20
SQLITE: Final = b"SQLite format 3\0"
"""Begins each SQLite file."""
_OF_LEGACY: Final = ("variant", "namespace", "time_zone")


class Import(Subcommand):
    """May be interrupted and run again: what is there already is left as it is."""

    help = "Import an archive, or an earlier cache's SQLite file, into the database tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and what an earlier cache's rows are to be called."""
        parser.add_argument("file", metavar="FILE")
        parser.add_argument(
            "--variant", metavar="JSON", help="of all rows of an earlier cache, as a JSON object"
        )
        parser.add_argument("--namespace", default="", help="of all rows of an earlier cache")
        parser.add_argument(
            "--time-zone", metavar="NAME", help="of its file's times; default: this machine's"
        )
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Import and tell what became of the rows."""
        cache = cache_with_table("import into")
        path = Path(options["file"])
        try:
            if _is_archive(path):
                report = self._archive(cache, path, options)
            else:
                report = asdict(self._legacy(cache, path, options))
        except (ArchiveError, LegacyFileError, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        problems = report.get("problems", [])
        if options["json"]:
            self.out.json(report)
        else:
            self._print(report, problems)
        if problems:
            raise CommandError(f"{report['refused']:,} clips of {path} were refused.")

    def _print(self, report: dict[str, Any], problems: list[str]) -> None:
        facts = {name: value for name, value in report.items() if name != "problems"}
        self.out.facts("Rows of the file", facts.items())
        for problem in problems[:SHOWN]:
            self.err.line(f"refused: {problem}")
        if report.get("over_limit"):
            self.err.line("Raise CACHE_PERSISTENT_MAX_SIZE or _MAX_MB for the rest, and run again.")

    def _archive(
        self, cache: MultiTierAudioCache, path: Path, options: dict[str, Any]
    ) -> dict[str, Any]:
        if given := [name for name in _OF_LEGACY if options[name]]:
            option = given[0].replace("_", "-")
            raise CommandError(f"--{option} is of an earlier cache's file; {path} is an archive")

        def progress(report: ArchiveReport) -> None:
            show_progress(self.err, report.seen, report.total, "clips")

        with Archive(path) as archive, patiently(alias_of(cache)):
            report = bring_in(
                archive, tier_of(cache), table_of(cache), now=now_ms(),
                store_text=cache.config.store_text, progress=progress,
            )  # fmt: skip
        return asdict(report)

    def _legacy(
        self, cache: MultiTierAudioCache, path: Path, options: dict[str, Any]
    ) -> ImportReport:
        alias, config = alias_of(cache), cache.config

        def progress(report: ImportReport) -> None:
            show_progress(self.err, report.seen, report.total, "rows")

        with ExitStack() as patience:
            return import_file(
                path,
                alias,
                variant=_variant(options["variant"]),
                namespace=options["namespace"],
                max_entries=config.persistent_max_size,
                max_bytes=int(config.persistent_max_mb * MIB),
                zone=_zone(options["time_zone"]),
                before=lambda: patience.enter_context(patiently(alias)),
                progress=progress,
            )


def _is_archive(path: Path) -> bool:
    """By its bytes. Raises CommandError when it is neither an archive nor a SQLite file."""
    if not path.is_file():
        raise CommandError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            beginning = file.read(len(SQLITE))
        archive = is_archive(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    if not archive and beginning != SQLITE:
        raise CommandError(
            f"{path} is neither an archive of audiocache export nor an earlier cache's SQLite file"
        )
    return archive


def _variant(given: str | None) -> dict[str, Any]:
    try:
        variant = json.loads(given or "{}")
    except ValueError as error:
        raise CommandError(f"--variant must be a JSON object: {error}") from error
    if not isinstance(variant, dict):
        raise CommandError("--variant must be a JSON object")
    return variant


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CommandError(f"--time-zone: there is no time zone {name!r}") from error
