"""manage.py audiocache stats|cleanup|clear|inspect|remove|import|...: see the registry."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from audiocache.management import registry


class Command(BaseCommand):
    """Hands on to a subcommand."""

    help = "Look into the audio cache, and keep it in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A parser for each subcommand."""
        parsers = parser.add_subparsers(dest="subcommand", metavar="subcommand", required=True)
        for name in registry.names():
            subcommand = registry.build(name, self.stdout, self.stderr)
            # With NUL for a dash no word is an option: whatever follows is let through.
            words: dict[str, Any] = (
                {"prefix_chars": "\0", "add_help": False} if subcommand.takes_anything else {}
            )
            own = parsers.add_parser(
                name, help=subcommand.help, description=subcommand.help, **words
            )
            subcommand.add_arguments(own)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Django's checks come before, but for who tells them."""
        subcommand = registry.build(options["subcommand"], self.stdout, self.stderr)
        if subcommand.checks_settings:
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the subcommand; what is wrong with settings or database is a sentence."""
        subcommand = registry.build(options["subcommand"], self.stdout, self.stderr)
        try:
            subcommand.handle(**options)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            # Its first line: what follows may repeat values.
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The cache's database: {reason}") from error
