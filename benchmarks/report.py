"""What was measured, as a table for the screen and for the page, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import Fixed
from benchmarks.runner import Outcome

HEAD: Final = ("row", "operation", "limit", "peers, times the limit", "ours", "goal", "reached")
WIDTH: Final = 160
"""Of the table in a log."""
BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A row of the table."""
    case = outcome.case
    limit = case.limit.name
    if case.unit == "x" and not isinstance(case.limit, Fixed):
        limit = f"{limit}, {duration(outcome.figure(limit))}"
    return (
        case.row,
        case.name,
        limit,
        "; ".join(_peer(outcome, peer.name) for peer in case.peers),
        _with_note(in_unit(outcome.reached, case.unit), outcome.notes[case.ours.name]),
        in_unit(case.goal, case.unit),
        "yes" if outcome.met else "within the allowance" if outcome.passed else "no",
    )


def _peer(outcome: Outcome, name: str) -> str:
    unit = outcome.case.unit
    figure = outcome.ratio(name) if unit == "x" else outcome.figure(name)
    return _with_note(f"{name} {in_unit(figure, unit)}", outcome.notes[name])


def _with_note(said: str, note: str) -> str:
    return f"{said} ({note})" if note else said


def in_unit(figure: float, unit: str) -> str:
    """A figure with three digits, as people write it; a bare number is times the limit."""
    shown = f"{figure:.0f}" if figure >= 100 else f"{figure:.3g}"
    return shown if unit == "x" else f"{shown} {unit}"


def duration(seconds: float) -> str:
    """In the unit that suits it."""
    for factor, unit in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return in_unit(seconds * factor, unit)
    return in_unit(seconds, "s")


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table of the page."""
    rows = [HEAD, ("---",) * len(HEAD), *map(cells, outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def show(outcomes: Sequence[Outcome]) -> None:
    """The table on the screen, with rich where it is there."""
    if find_spec("rich") is None:
        print(markdown(outcomes))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*HEAD)
    for outcome in outcomes:
        table.add_row(*cells(outcome), style=None if outcome.passed else "bold red")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def as_json(outcomes: Sequence[Outcome], machine: str) -> str:
    """All figures of all rounds."""
    return json.dumps({"machine": machine, "cases": list(map(_plain, outcomes))}, indent=1)


def _plain(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    return {
        "row": case.row,
        "name": case.name,
        "unit": case.unit,
        "goal": case.goal,
        "allowed": case.goal * case.allowance,
        "reached": outcome.reached,
        "passed": outcome.passed,
        "limit": case.limit.name,
        "ratios": {each.name: outcome.ratio(each.name) for each in case.contestants},
        "figures": outcome.figures,
        "notes": outcome.notes,
    }


def write_page(page: Path, table: str, machine: str) -> None:
    """Put the table into the page, between its marks. Raises ValueError when it has none."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page.name} has no place for the table")
    page.write_text(f"{before}{BEGIN}\nMeasured on: {machine}.\n\n{table}\n{END}{after}")
