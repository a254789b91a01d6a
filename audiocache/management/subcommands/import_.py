"""audiocache import: the rows of an earlier cache's SQLite file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError
from django.db import connections

from audiocache import database, own_file
from audiocache.builder import get_audio_cache
from audiocache.conf import MIB, PERSISTENT, CacheConfig
from audiocache.legacy import ImportReport, LegacyFileError, import_file
from audiocache.management.subcommand import Subcommand, add_json


class Import(Subcommand):
    """May be interrupted and run again: what is there already is left as it is."""

    help = "Import an earlier cache's SQLite file into the database tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and what its rows are to be called."""
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--variant", metavar="JSON", help="of all rows, as a JSON object")
        parser.add_argument("--namespace", default="", help="of all rows")
        parser.add_argument(
            "--time-zone", metavar="NAME", help="of the file's times; default: this machine's"
        )
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Import and tell what became of the rows."""
        try:
            with ExitStack() as patience:
                report = self._import(options, patience)
        except (LegacyFileError, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.out.json(asdict(report))
        else:
            self.out.facts("Rows of the file", asdict(report).items())

    def _import(self, options: dict[str, Any], patience: ExitStack) -> ImportReport:
        config = _config()
        alias = database.alias_of(config)

        def begin() -> None:
            own_file.prepare(connections[alias])
            patience.enter_context(own_file.patient(connections[alias]))

        return import_file(
            options["file"],
            alias,
            variant=_variant(options["variant"]),
            namespace=options["namespace"],
            max_entries=config.persistent_max_size,
            max_bytes=int(config.persistent_max_mb * MIB),
            zone=_zone(options["time_zone"]),
            before=begin,
            progress=self._progress,
        )

    def _progress(self, report: ImportReport) -> None:
        if self.err.stream.isatty():
            self.err.stream.write(f"\r{report.seen:,} of {report.total:,} rows", ending="")
            if report.seen >= report.total:
                self.err.line()


def _config() -> CacheConfig:
    cache = get_audio_cache()
    if PERSISTENT not in cache.tiers:
        raise CommandError("CACHE_BACKEND has no database tier to import into.")
    return cache.config


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
