"""audiocache scrub: rewrite the tables, so that their files keep nothing of what was deleted."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from audiocache.builder import get_audio_cache
from audiocache.conf import PERSISTENT
from audiocache.erasing.scrubbing import CannotScrub, can_rewrite_at_once, scrub
from audiocache.finding import ready
from audiocache.management.asking import confirm
from audiocache.management.subcommand import Subcommand, add_yes


class Scrub(Subcommand):
    """Deletes no entry."""

    help = "Rewrite the cache's tables without what was deleted, which their files still keep."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--yes"""
        add_yes(parser)

    def handle(self, **options: Any) -> None:
        """Say what it costs, ask, rewrite."""
        if PERSISTENT not in get_audio_cache().tiers:
            raise CommandError("CACHE_BACKEND has no database tier.")
        confirm(self.out, f"{_cost()} Rewrite them?", yes=options["yes"])
        try:
            scrub()
        except CannotScrub as error:
            raise CommandError(f"Not rewritten: {error}.") from error
        self.out.line(f"Rewritten: {connections[ready()].vendor}.")


def _cost() -> str:
    if can_rewrite_at_once():
        return "Writers wait until the file is rewritten, readers do not."
    return "Nobody can use the cache's tables until they are rewritten: look-ups pass them over."
