"""When a model will be gone: apps that know register here, so that those who look are told.

This package knows no models, only their labels; `tts` registers TTS_RETIRED_MODELS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from django.utils.module_loading import import_string

Dates = Callable[[], Mapping[tuple[str, str], date]]
"""The day from which it is gone, by provider and model. Raises nothing."""

_sources: dict[str, str] = {}


def register(name: str, dotted_path: str) -> None:
    """Have the function at `dotted_path` asked; imported when it is."""
    _sources[name] = dotted_path


def dates() -> dict[tuple[str, str], date]:
    """What every source says."""
    known: dict[tuple[str, str], date] = {}
    for path in _sources.values():
        known.update(import_string(path)())
    return known
