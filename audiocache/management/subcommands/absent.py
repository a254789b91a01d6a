"""What says where a subcommand comes from, while its app is not installed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audiocache.management.subcommand import Subcommand


class OfTts(Subcommand):
    """Of the app `tts`."""

    help = "Needs the app tts in INSTALLED_APPS."
    takes_anything = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whatever the real one takes."""
        parser.add_argument("words", nargs="*")

    def handle(self, **options: Any) -> None:
        """Say what to add."""
        name = options["subcommand"]
        raise CommandError(
            f"audiocache {name} makes speech and comes with the app tts: "
            "add 'tts' to INSTALLED_APPS."
        )
