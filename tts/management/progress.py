"""How far a long run is, on the error stream: standard output is for the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from audiocache.management.output import Output

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
    step = max(1, total // STEPS)

    def advance(done: int) -> None:
        if done % step == 0 or done == total:
            err.line(f"{done:,} of {total:,} phrases")

    return advance


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
