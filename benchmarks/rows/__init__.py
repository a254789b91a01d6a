"""The families of rows: a module each, whose `cases` has them ready."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Final

from benchmarks.cases import Case
from benchmarks.stage import Stage

FAMILIES: Final = {
    "memory": ("M1", "M2", "M3", "M4"),
    "keys": ("M5", "M6"),
    "sqlite": ("S1", "S2", "S3", "S6"),
    "serving": ("S4", "S7", "S8"),
    "postgresql": ("P1", "P2"),
    "redis": ("R1", "R2", "R3"),
    "outage": ("R4",),
    "asynchronous": ("A1", "A2"),
    "herd": ("H1", "H2"),
    "http": ("W1", "W2"),
    "scale": ("G1",),
    "footprint": ("B1",),
}
"""Modules of this package, with their rows."""


def cases_of(family: str, stage: Stage) -> AbstractContextManager[list[Case]]:
    """The cases, while what they need is there. Imported now, when Django is set up."""
    made: AbstractContextManager[list[Case]] = import_module(f"{__name__}.{family}").cases(stage)
    return made
