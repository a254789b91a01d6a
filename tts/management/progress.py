"""How far a long run is, on the error stream: standard output is for the result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from audiocache.management.output import Output

MINUTE: Final = 60
STEPS: Final = 10
"""Lines of the plain progress."""

Advance = Callable[[int], None]
"""Told how many are done."""


@contextmanager
def progress(err: Output, total: int) -> Iterator[Advance]:
    """A bar of rich on a terminal, else a line for each tenth."""
    if err.is_rich:
        with _bar(total) as advance:
            yield advance
    else:
        yield _lines(err, total)


def _lines(err: Output, total: int) -> Advance:
    step, began = max(1, total // STEPS), time.monotonic()

    def advance(done: int) -> None:
        if done % step == 0 or done == total:
            seconds = (time.monotonic() - began) / done * (total - done)
            left = f", about {span(seconds)} left" if seconds >= 1 else ""
            err.line(f"{done:,} of {total:,} phrases{left}")

    return advance


def span(seconds: float) -> str:
    """Such as 42 s, 7 min or 2 h 5 min, rounded up."""
    if seconds < MINUTE:
        return f"{math.ceil(seconds)} s"
    hours, minutes = divmod(math.ceil(seconds / MINUTE), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@contextmanager
def _bar(total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("phrases", total=total)

        def advance(done: int) -> None:
            bar.update(task, completed=done)

        yield advance
