"""Who can warm the cache: apps that make clips register here, so that the task finds them.

This package stores audio and makes none; `tts` registers the warming of its phrases.
"""

from __future__ import annotations

from django.utils.module_loading import import_string

_warmers: dict[str, str] = {}


def register(name: str, dotted_path: str) -> None:
    """Have the function at `dotted_path` called by the warming task; imported when it runs.

    It makes what is missing of its kept phrases, and says how many clips it stored.
    """
    _warmers[name] = dotted_path


def run() -> dict[str, int]:
    """Let every warmer work; clips stored by name."""
    return {name: import_string(path)() for name, path in list(_warmers.items())}
