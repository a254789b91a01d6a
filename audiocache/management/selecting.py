"""Choosing entries on the command line: by provider, model, voice and tag."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError

from audiocache.finding import entries
from audiocache.models import EntryQuerySet, Tag

LABELS: Final = ("provider", "model", "voice")


def add_selection_arguments(parser: ArgumentParser) -> None:
    """--provider, --model, --voice and --tag; each narrows what is chosen."""
    for label in LABELS:
        parser.add_argument(f"--{label}", help=f"entries of this {label}")
    parser.add_argument("--tag", help="entries that have it")


def chosen(options: dict[str, Any]) -> EntryQuerySet:
    """The rows that were chosen. Raises CommandError where nothing was."""
    labels = {label: options[label] for label in LABELS if options[label] is not None}
    if not labels and options["tag"] is None:
        raise CommandError("Choose entries: --provider, --model, --voice or --tag.")
    rows = entries().filter(**labels)
    if options["tag"] is not None:
        rows = rows.filter(key__in=Tag.objects.filter(tag=options["tag"]).values("key"))
    return rows
