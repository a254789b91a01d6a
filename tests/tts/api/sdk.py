"""The official SDK: imported by the first who uses one of its names, for it takes half a second."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("openai"), name)
