"""audiocache pin, unpin: keep a selection from eviction and expiry, and let go of it."""

from __future__ import annotations

from abc import abstractmethod
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final

from audiocache import lives
from audiocache.management.selecting import add_selection_arguments, chosen
from audiocache.management.subcommand import Subcommand, add_json
from audiocache.models import EntryQuerySet

BATCH: Final = 500
"""Keys read at a time, however many are chosen."""


class _Changing(Subcommand):
    """In every tier, as the admin's action does it."""

    done: ClassVar[str]
    pinned: ClassVar[bool]
    """What those are that need it not."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The selection, --dry-run and --json."""
        add_selection_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only count")
        add_json(parser)

    def handle(self, **options: Any) -> None:
        """Count, or do it; how many."""
        rows = chosen(options)
        wanted = rows.exclude(pinned=self.pinned)
        report = {"chosen": rows.count(), "needed": wanted.count(), self.done: 0}
        if not options["dry_run"]:
            report[self.done] = sum(map(self.change(), _keys(wanted)))
        if options["json"]:
            self.out.json(report)
        else:
            self.out.facts("Entries", report.items())

    @abstractmethod
    def change(self) -> Callable[[Sequence[str]], int]:
        """What is done to keys; how many needed it."""


class Pin(_Changing):
    """Until they are unpinned or removed."""

    help = "Keep the chosen entries: never evicted, never expired."
    done = "pinned"
    pinned = True

    def change(self) -> Callable[[Sequence[str]], int]:
        """Pin."""
        return lives.pin


class Unpin(_Changing):
    """They get the configured life from now."""

    help = "Let the chosen entries be evicted and expire again."
    done = "unpinned"
    pinned = False

    def change(self) -> Callable[[Sequence[str]], int]:
        """Unpin."""
        return lives.unpin


def _keys(rows: EntryQuerySet) -> Iterator[list[str]]:
    """By id, so that what is changed meanwhile moves nothing."""
    last = 0
    while found := list(rows.filter(id__gt=last).order_by("id").values_list("id", "key")[:BATCH]):
        yield [key for _, key in found]
        last = found[-1][0]
