"""The subcommands of `manage.py audiocache` by name. Other apps add theirs in `ready()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.core.management.base import OutputWrapper
from django.utils.module_loading import import_string

from audiocache.management.subcommand import Subcommand

_ROOM: Final = "audiocache.management.subcommands"

_paths: dict[str, str] = {
    "stats": f"{_ROOM}.stats.Stats",
    "cleanup": f"{_ROOM}.cleanup.Cleanup",
    "clear": f"{_ROOM}.clear.Clear",
    "inspect": f"{_ROOM}.inspect.Inspect",
    "remove": f"{_ROOM}.remove.Remove",
    "export": f"{_ROOM}.export.Export",
    "import": f"{_ROOM}.import_.Import",
    "inventory": f"{_ROOM}.inventory.Inventory",
    "pin": f"{_ROOM}.pin.Pin",
    "unpin": f"{_ROOM}.pin.Unpin",
    "doctor": f"{_ROOM}.doctor.Doctor",
    "mend": f"{_ROOM}.mend.Mend",
    "scrub": f"{_ROOM}.scrub.Scrub",
    # Until the app that brings them registers its own: a sentence about that app.
    "warm": f"{_ROOM}.absent.OfTts",
    "explain": f"{_ROOM}.absent.OfTts",
}


def register(name: str, dotted_path: str) -> None:
    """Have `manage.py audiocache <name>` run the Subcommand at `dotted_path`.

    It is imported when the command runs. A name that is there is replaced.
    """
    _paths[name] = dotted_path


def names() -> Iterator[str]:
    """All subcommands, in the order in which they were registered."""
    yield from _paths


def build(name: str, stdout: OutputWrapper, stderr: OutputWrapper) -> Subcommand:
    """A subcommand that writes to these streams."""
    made: Subcommand = import_string(_paths[name])(stdout, stderr)
    return made
