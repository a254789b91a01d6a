"""What a subcommand of `manage.py audiocache` is; docs/adding-a-command.md makes one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import OutputWrapper

from audiocache.management.output import Output


class Subcommand(ABC):
    """Takes arguments, does one thing, prints. Raises CommandError for what is wrong."""

    help: ClassVar[str]
    """One line."""
    takes_anything: ClassVar[bool] = False
    """Options are not looked at: they come as words."""

    checks_settings: ClassVar[bool] = False
    """It tells itself what `manage.py check` says, and runs also where that is an error."""

    def __init__(self, stdout: OutputWrapper, stderr: OutputWrapper) -> None:
        self.out = Output(stdout)
        self.err = Output(stderr)

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027 - most have some
        """Options and arguments."""

    @abstractmethod
    def handle(self, **options: Any) -> None:
        """Do it."""


def add_json(parser: ArgumentParser) -> None:
    """The option of those that print data."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_yes(parser: ArgumentParser) -> None:
    """The option of those that destroy."""
    parser.add_argument("--yes", action="store_true", help="do not ask: for scripts")
