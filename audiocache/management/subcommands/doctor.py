"""audiocache doctor: what is wrong with this installation, and what to type to mend it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audiocache.doctor.rounds import Examination, examine
from audiocache.management.subcommand import Subcommand, add_json


class Doctor(Subcommand):
    """Only looks. Its exit status is 1 where something was found."""

    help = "Look for what is wrong with the cache, and say what to type to mend it."
    checks_settings = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--deep and --json"""
        parser.add_argument(
            "--deep", action="store_true", help="look at every entry, and not at a few"
        )
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Examine and print."""
        seen = examine(deep=options["deep"])
        if options["json"]:
            findings = [found._asdict() for found in seen.findings]
            self.out.json({"examined": seen.examined, "findings": findings})
        else:
            self._print(seen, deep=options["deep"])
        if number := len(seen.findings):
            raise CommandError(f"{number} {'finding' if number == 1 else 'findings'}.")

    def _print(self, seen: Examination, *, deep: bool) -> None:
        for found in seen.findings:
            self.out.line(f"{found.name}: {found.what}")
            self.out.line(f"    {found.why}")
            self.out.line(f"    type or set: {found.mend}")
        extent = "every entry" if deep else "a few entries (--deep: every one)"
        self.out.line(f"Looked at {', '.join(seen.examined)}; at {extent}.")
        if not seen.findings:
            self.out.line("Nothing is wrong.")
