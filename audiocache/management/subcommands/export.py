"""audiocache export: the table, or a part of it, as one file."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache import moving
from audiocache.clock import now_ms
from audiocache.management.moving import (
    alias_of,
    cache_with_table,
    patiently,
    show_progress,
    table_of,
)
from audiocache.management.subcommand import Subcommand, add_json
from audiocache.moving import Choice, ExportReport, Table

SHOWN: Final = 20


class Export(Subcommand):
    """Reads in portions, and changes nothing."""

    help = "Write the database tier's clips, or a selection of them, into one archive."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and which."""
        parser.add_argument("file", metavar="FILE", help="a tar file, such as clips.tar")
        parser.add_argument("--tag", action="append", default=[], help="may be given repeatedly")
        parser.add_argument("--provider", default="")
        parser.add_argument("--model", default="")
        parser.add_argument("--voice", default="")
        parser.add_argument("--pinned", action="store_true", help="only what is pinned")
        parser.add_argument("--force", action="store_true", help="replace a file that is there")
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Write, and tell what became of the rows."""
        cache = cache_with_table("export from")
        with patiently(alias_of(cache)):
            report = self._export(table_of(cache), options, store_text=cache.config.store_text)
        if options["json"]:
            self.out.json(asdict(report))
            return
        facts = asdict(report)
        left_out = facts.pop("left_out")
        self.out.facts("Rows of the table", facts.items())
        for key in left_out[:SHOWN]:
            self.err.line(f"left out: {key}")

    def _export(self, table: Table, options: dict[str, Any], *, store_text: bool) -> ExportReport:
        choice = _choice(options)
        total = table.count(choice)

        def progress(report: ExportReport) -> None:
            show_progress(self.err, report.seen, total, "rows")

        path = Path(options["file"])
        try:
            return moving.export(
                path, table, now=now_ms(), choice=choice, store_text=store_text,
                force=options["force"], progress=progress,
            )  # fmt: skip
        except FileExistsError as error:
            raise CommandError(f"{path} is there already: --force replaces it.") from error
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}") from error


def _choice(options: dict[str, Any]) -> Choice:
    return Choice(
        tags=tuple(options["tag"]), provider=options["provider"], model=options["model"],
        voice=options["voice"], pinned=options["pinned"],
    )  # fmt: skip
