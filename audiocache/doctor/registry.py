"""Examinations that other apps bring, by name. They register in `ready()`: nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator

_paths: dict[str, str] = {}


def register(name: str, dotted_path: str) -> None:
    """Have the function at `dotted_path` look at the `Case`, too; imported when it does."""
    _paths[name] = dotted_path


def registered() -> Iterator[tuple[str, str]]:
    """Names and paths."""
    yield from _paths.items()
