"""The official SDK: imported by the first who uses one of its names, for it takes half a second."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """None that begins with an underscore: pytest asks every module for such when it collects."""
    if name.startswith("_"):
        raise AttributeError(name)
    return getattr(import_module("openai"), name)
