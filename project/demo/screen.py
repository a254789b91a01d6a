"""Where a run is shown: lines everywhere, and a moving bar above them on a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from django.core.management.base import OutputWrapper

WIDTH: Final = 79
Step = Callable[[], object]


class Screen:
    """Plain text: it says the same in a log, in a pipe and under NO_COLOR."""

    def __init__(self, stdout: OutputWrapper) -> None:
        self._stdout = stdout
        self._moves = stdout.isatty() and find_spec("rich") is not None

    def line(self, text: str = "") -> None:
        """At once, also into a pipe."""
        self._stdout.write(text)
        self._stdout.flush()

    def paragraph(self, text: str) -> None:
        """In lines that fit a narrow terminal; a path is not broken."""
        for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
            self.line(line)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The first column to the left, the others to the right."""
        grid = [head, *rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for number, row in enumerate(grid):
            first, *others = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            self.line("  ".join([first.strip().ljust(widths[0]), *others]).rstrip())
            if number == 0:
                self.line("  ".join("-" * width for width in widths))

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Step]:
        """A function to call at each step; `total` is None where the end is not known."""
        if not self._moves:
            yield lambda: None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(file=sys.stdout, force_terminal=True), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda: bar.advance(task)
