"""Printing: JSON, sentences and tables, with rich where it is installed and looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import IO, Any, cast

from django.core.management.base import OutputWrapper

from audiocache.entries import NEVER

Row = Sequence[object]


class Output:
    """One of the streams of a command."""

    def __init__(self, stream: OutputWrapper) -> None:
        self.stream = stream

    @property
    def is_rich(self) -> bool:
        """Is this a terminal, and the extra `cli` installed?"""
        return self.stream.isatty() and find_spec("rich") is not None

    def json(self, data: Any) -> None:
        """One document."""
        self.stream.write(json.dumps(data, indent=2, ensure_ascii=False, default=str))

    def line(self, text: str = "") -> None:
        """A line of text."""
        self.stream.write(f"{text}\n")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """A title and rows; nothing where there are no rows."""
        cells = [[shown(cell) for cell in row] for row in rows]
        if not cells:
            return
        if self.is_rich:
            self._rich_table(title, columns, cells)
        else:
            self._plain_table(title, columns, cells)

    def facts(self, title: str, facts: Iterable[tuple[str, object]]) -> None:
        """Names and values, one pair a line."""
        self.table(title, ("", ""), facts)

    def _plain_table(self, title: str, columns: Sequence[str], cells: list[list[str]]) -> None:
        head = [list(columns)] if any(columns) else []
        widths = [max(map(len, column)) for column in zip(*head, *cells, strict=True)]
        self.line(f"{title}:")
        for row in head + cells:
            padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.line("  " + "  ".join(padded).rstrip())

    def _rich_table(self, title: str, columns: Sequence[str], cells: list[list[str]]) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(show_header=any(columns))
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            # As Text: brackets in a voice's name are no markup.
            table.add_row(*map(Text, row))
        console = Console(file=cast("IO[str]", self.stream))
        console.print(Text(title, style="bold"), table, sep="\n")


def shown(value: object) -> str:
    """A value as a cell: numbers with separators, what is not known as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def human_bytes(size: int | None) -> str:
    """Such as 47.5 KiB."""
    if size is None:
        return "-"
    number, units = float(size), iter(("bytes", "KiB", "MiB", "GiB"))
    unit = next(units)
    for larger in units:
        if number < 1024:
            break
        number, unit = number / 1024, larger
    return f"{size:,} bytes" if unit == "bytes" else f"{number:,.1f} {unit}"


def moment(ms: int | None) -> str | None:
    """An instant in ISO 8601, UTC; None for one without end."""
    if ms is None or ms == NEVER:
        return None
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
