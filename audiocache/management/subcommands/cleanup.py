"""audiocache cleanup: for cron, what the Celery task does."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from audiocache import housekeeping
from audiocache.builder import get_audio_cache
from audiocache.management.subcommand import Subcommand, add_json


class Cleanup(Subcommand):
    """One run at a time, whoever started it."""

    help = "Remove entries past their time from every tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--rollup and --json"""
        parser.add_argument(
            "--rollup", action="store_true", help="fold hourly counters into days as well"
        )
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Clean up and tell how many by tier."""
        cache = get_audio_cache()
        done: dict[str, Any] = {"removed": housekeeping.clean_up(cache)}
        if options["rollup"]:
            done["hours_folded"] = housekeeping.roll_up(cache)
        if options["json"]:
            self.out.json(done)
        else:
            self._print(done)

    def _print(self, done: dict[str, Any]) -> None:
        if done["removed"] is None:
            self.out.line("Another clean-up is at work; nothing to do.")
        else:
            self.out.facts("Entries past their time that were removed", done["removed"].items())
        if "hours_folded" in done:
            hours = done["hours_folded"]
            folded = "Another is at work." if hours is None else f"{hours:,} hourly counters."
            self.out.line(f"Folded into days: {folded}")
