"""audiocache mend: what the doctor says to type."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache.builder import get_audio_cache
from audiocache.conf import PERSISTENT
from audiocache.exceptions import TierError
from audiocache.management.asking import confirm
from audiocache.management.subcommand import Subcommand, add_yes
from audiocache.mending import MENDS

COSTS: Final = {
    "checksums": "Reads every sound; damaged entries are deleted.",
    "soundless": "Deletes entries that have no sound.",
    "texts": "Deletes the texts of all entries, in every tier.",
    "tags": "Deletes tags of entries that are gone.",
    "leases": "Takes leases that end in more than an hour.",
    "removals": "Cuts the removal log: who is behind empties its memory.",
}
"""Of those that delete something."""


class Mend(Subcommand):
    """Each may be run while the site is at work."""

    help = "Mend what `audiocache doctor` has found, by its name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The names."""
        parser.add_argument("names", nargs="+", choices=list(MENDS), metavar="NAME")
        add_yes(parser)

    def handle(self, **options: Any) -> None:
        """Say what it costs, ask, mend."""
        if PERSISTENT not in get_audio_cache().tiers:
            raise CommandError("CACHE_BACKEND has no database tier.")
        for name in options["names"]:
            if cost := COSTS.get(name):
                confirm(self.out, f"{cost} Mend {name}?", yes=options["yes"])
            self.out.line(f"{name}: {_mended(name):,} mended.")


def _mended(name: str) -> int:
    try:
        return MENDS[name]()
    except TierError as error:
        raise CommandError(f"{name}: not mended: {error}.") from error
