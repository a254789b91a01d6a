"""audiocache clear: everything, from every tier, after saying what it costs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from audiocache.builder import get_audio_cache
from audiocache.cache import MultiTierAudioCache
from audiocache.conf import PERSISTENT
from audiocache.inventory import cost_to_make
from audiocache.management.asking import confirm
from audiocache.management.output import human_bytes
from audiocache.management.subcommand import Subcommand, add_yes


class Clear(Subcommand):
    """A neighbour's keys in Redis stay."""

    help = "Remove every entry of this cache from every tier."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--yes"""
        add_yes(parser)

    def handle(self, **options: Any) -> None:
        """Say what goes, ask, remove."""
        cache = get_audio_cache()
        self.out.line(_what_goes(cache))
        confirm(self.out, "Remove all of it?", yes=options["yes"])
        cache.clear()
        self.out.line("The cache is empty.")


def _what_goes(cache: MultiTierAudioCache) -> str:
    tiers = ", ".join(cache.tiers)
    if PERSISTENT not in cache.tiers:
        return f"This removes every entry from {tiers}; how many is not known without a database."
    backend = cache.ladder.backends()[PERSISTENT]
    number, size = backend["entry_count"], backend["total_size_bytes"]
    if number is None:
        return f"This removes every entry from {tiers}; the database does not answer now."
    return (
        f"This removes {number:,} {'entry' if number == 1 else 'entries'} "
        f"({human_bytes(size)}) from {tiers}; {_cost()}."
    )


def _cost() -> str:
    """Of making it again, as far as it was recorded, in the currency's unit."""
    cost = cost_to_make()
    if cost is None:
        return "what it cost to make was not recorded"
    return f"making it again costs about {cost / 1_000_000:,.4f}, by the recorded cost"
