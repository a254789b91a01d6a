"""The program behind `make bench` and `make bench-quick`; exits 1 where a gate is missed."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import report, stage
from benchmarks.cases import Case
from benchmarks.machine import busy, machine
from benchmarks.rows import FAMILIES, cases_of
from benchmarks.runner import Outcome, run

PAGE: Final = Path("docs/performance.md")
ROUNDS: Final = 11
QUICK_ROUNDS: Final = 5


def main(words: Sequence[str] | None = None) -> int:
    """Measure, show, write; 0 where every gate is passed."""
    given = _arguments().parse_args(words)
    outcomes = list(_measured(given.quick, given.only.split(",") if given.only else []))
    where = f"{machine()}; {busy():.0f} processes wanted a core at the end"
    report.show(outcomes)
    print(where)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(report.as_json(outcomes, where))
    if given.write:
        report.write_page(PAGE, report.markdown(outcomes), where)
    return _gate(outcomes)


def _measured(quick: bool, only: Sequence[str]) -> Iterator[Outcome]:
    chance, rounds = random.Random(), QUICK_ROUNDS if quick else ROUNDS
    with stage.build(quick=quick) as built:
        for family, rows in FAMILIES.items():
            if only and not set(only) & set(rows):
                continue
            with cases_of(family, built) as cases:
                for case in cases:
                    if not only or case.row in only:
                        yield _told(run(_without_peers(case) if quick else case, rounds, chance))


def _without_peers(case: Case) -> Case:
    return replace(case, peers=())


def _told(outcome: Outcome) -> Outcome:
    row, name, *_, ours, goal, reached = report.cells(outcome)
    print(f"{row:3} {name:50} {ours:>12}  goal {goal:>8}  {reached}", flush=True)
    return outcome


def _gate(outcomes: Sequence[Outcome]) -> int:
    missed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in missed:
        case = outcome.case
        allowed = report.in_unit(case.goal * case.allowance, case.unit)
        reached = report.in_unit(outcome.reached, case.unit)
        print(f"missed: {case.row} {case.name}: {reached}, allowed {allowed}", file=sys.stderr)
    print(f"{len(outcomes) - len(missed)} of {len(outcomes)} gates passed")
    return 1 if missed else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, sizes and no peers")
    parser.add_argument("--only", default="", help="rows, such as M1,S3")
    parser.add_argument("--json", type=Path, help="where all figures go")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
