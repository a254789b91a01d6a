"""audiocache inventory: what is stored by provider, model and voice."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any

from audiocache.inventory import Held, inventory
from audiocache.management.output import human_bytes
from audiocache.management.subcommand import Subcommand, add_json

COLUMNS = ("provider", "model", "voice", "entries", "size", "pinned", "to make again", "gone from")


class Inventory(Subcommand):
    """Prints; changes nothing."""

    help = "Show what is stored by provider, model and voice, and the cost of making it again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json"""
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Print."""
        held = inventory()
        if options["json"]:
            self.out.json([kind.facts() for kind in held])
            return
        if not held:
            self.out.line("Nothing is stored.")
        self.out.table("Stored", COLUMNS, _rows(held))
        if any(kind.unpriced for kind in held):
            self.out.line("+ n?: and n entries whose cost was not recorded.")


def _rows(held: Sequence[Held]) -> Iterator[Sequence[object]]:
    for kind in held:
        size, again = human_bytes(kind.bytes), _price(kind)
        names = (kind.provider, kind.model, kind.voice)
        yield *names, kind.entries, size, kind.pinned, again, kind.retires


def _price(kind: Held) -> str:
    known = f"{kind.cost / 1_000_000:,.4f}"
    return f"{known} + {kind.unpriced:,}?" if kind.unpriced else known
