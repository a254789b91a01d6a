"""Shapes of the page's charts: numbers become coordinates, and a template draws them.

Coordinates are text: a language's decimal comma would break them. The drawing is stretched to
the width that there is, so that no words stand in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

WIDTH: Final = 1000
HEIGHT: Final = 100
GAP: Final = 0.2
"""Between bars, of a bar's place."""
LEAST: Final = 1
"""What is not nothing is seen."""
ROUND: Final = (1, 2, 5, 10)


class Column(NamedTuple):
    """One step: what stands on one another, from below, and what is said of it."""

    parts: tuple[int, ...]
    title: str


class Bar(NamedTuple):
    """A rectangle."""

    kind: str
    x: str
    y: str
    width: str
    height: str
    title: str


class Line(NamedTuple):
    """A path, broken where there is no value."""

    kind: str
    path: str


class Key(NamedTuple):
    """What a colour means."""

    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture with its words."""

    title: str
    unit: str
    """money, or share: of 1."""
    top: float
    """The value at its upper edge."""
    ends: tuple[str, ...]
    """Words below: of the first step, the middle one and the last."""
    keys: tuple[Key, ...] = ()
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def scale(self) -> tuple[float, ...]:
        """Values at its left, from above."""
        return (self.top, self.top / 2, 0)

    @property
    def is_drawn(self) -> bool:
        """Is there anything to see?"""
        return bool(self.bars) or any(line.path for line in self.lines)


def top_of(columns: Sequence[Column]) -> int:
    """A round number that no column passes: 1, 2 or 5 and zeros."""
    most = max((sum(column.parts) for column in columns), default=0)
    tens = int("1" + "0" * (len(str(most)) - 1))
    return next(tens * digit for digit in ROUND if tens * digit >= most)


def bars(columns: Sequence[Column], kinds: Sequence[str], top: int) -> list[Bar]:
    """A stack for each column; nothing for nothing."""
    place = WIDTH / max(1, len(columns))
    return [
        Bar(kind, _text(place * (number + GAP / 2)), y, _text(place * (1 - GAP)), height, title)
        for number, (parts, title) in enumerate(columns)
        for kind, y, height in _stack(kinds, parts, top)
    ]


def _stack(kinds: Sequence[str], parts: Sequence[int], top: int) -> Iterator[tuple[str, str, str]]:
    """Kind, upper edge and height of each part that is there, from below."""
    below = 0.0
    for kind, value in zip(kinds, parts, strict=True):
        if value > 0:
            height = min(HEIGHT - below, max(LEAST, HEIGHT * value / top))
            below += height
            yield kind, _text(HEIGHT - below), _text(height)


def line(kind: str, shares: Sequence[float | None]) -> Line:
    """Through the middle of each step that has a share of 1; a dot where one stands alone."""
    place = WIDTH / max(1, len(shares))
    points = [
        None if share is None else f"{_text(place * (number + 0.5))} {_text(HEIGHT * (1 - share))}"
        for number, share in enumerate(shares)
    ]
    return Line(kind, " ".join(_strokes(points)))


def _strokes(points: Sequence[str | None]) -> Iterator[str]:
    for is_there, group in itertools.groupby(points, lambda point: point is not None):
        if is_there:
            yield f"M{' L'.join(map(str, group))} h0"


def _text(number: float) -> str:
    return f"{number:.2f}"
