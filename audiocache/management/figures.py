"""Further figures of `manage.py audiocache stats`: other apps add theirs in `ready()`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from django.utils.module_loading import import_string


class Figures(NamedTuple):
    """A part of the document, and its table for people."""

    title: str
    data: Mapping[str, Any]
    facts: list[tuple[str, object]]


_paths: Final[dict[str, str]] = {}


def register(name: str, dotted_path: str) -> None:
    """Have the callable at `dotted_path` give Figures, or None, under a name."""
    _paths[name] = dotted_path


def all_figures() -> dict[str, Figures]:
    """By name, those that there are."""
    makers: dict[str, Callable[[], Figures | None]] = {
        name: import_string(path) for name, path in _paths.items()
    }
    found = {name: make() for name, make in makers.items()}
    return {name: figures for name, figures in found.items() if figures is not None}
