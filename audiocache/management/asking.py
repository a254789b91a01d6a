"""Asking before something is destroyed."""

from __future__ import annotations

import sys

from django.core.management.base import CommandError

from audiocache.management.output import Output


def confirm(out: Output, question: str, *, yes: bool) -> None:
    """Return when the answer is yes. Raises CommandError otherwise, or when nobody can answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("There is no terminal to ask at: add --yes to do it. Nothing was done.")
    out.stream.write(f"{question} Type yes to go on: ", ending="")
    out.stream.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise CommandError("Nothing was done.")
