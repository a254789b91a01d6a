"""When a model will be gone: apps that know register here, so that those who look are told.

This package knows no models, only their labels; `tts` registers TTS_RETIRED_MODELS.
"""

from __future__ import annotations

from datetime import date

from django.utils.module_loading import import_string

_sources: dict[str, str] = {}


def register(name: str, dotted_path: str) -> None:
    """Have the function at `dotted_path` asked for the day from which each is gone, by provider
    and model; imported when it is. It raises nothing.
    """
    _sources[name] = dotted_path


def dates() -> dict[tuple[str, str], date]:
    """What every source says."""
    known: dict[tuple[str, str], date] = {}
    for path in _sources.values():
        known.update(import_string(path)())
    return known
