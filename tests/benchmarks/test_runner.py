"""The runner, the gates and the table, on contestants whose times are known."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import _gate
from benchmarks.cases import Case, Contestant, Figure, Fixed, Loop, WrongAnswer
from benchmarks.rows import FAMILIES
from benchmarks.runner import Outcome, run

PERFORMANCE_ROWS = [
    *("M1", "M2", "M3", "M4", "M5", "M6"),
    *("S1", "S2", "S3", "S4", "S6", "S7", "S8"),
    *("P1", "P2", "R1", "R2", "R3", "R4", "A1", "A2", "H1", "H2", "W1", "W2", "B1", "G1"),
]


def figures(name: str, *given: float) -> Figure:
    """One after the other, each time it is measured."""
    left: Iterator[float] = cycle(given)
    return Figure(name, lambda: (next(left), ""))


def case(ours: Contestant, limit: Contestant | None = None, **more: object) -> Case:
    plain = Case("X1", "something", limit or Fixed("limit", 1.0), ours, 2.0)
    return replace(plain, **more)  # type: ignore[arg-type]


def outcome(ours: Contestant, limit: Contestant | None = None, **more: object) -> Outcome:
    return run(case(ours, limit, **more), 3, random.Random(1))


class TestRatios:
    def test_each_round_is_compared_with_itself(self) -> None:
        """A machine that is ten times as slow in one round is so for all."""
        slow = outcome(figures("ours", 3, 30, 3), figures("limit", 1, 10, 2))
        assert slow.ratio("ours") == 3
        assert slow.figure("ours") == 3

    def test_a_case_has_no_more_rounds_than_it_says(self) -> None:
        assert len(outcome(figures("ours", 1), rounds=2).figures["ours"]) == 2

    def test_the_collector_is_off_meanwhile_and_on_afterwards(self) -> None:
        seen = outcome(Figure("ours", lambda: (float(gc.isenabled()), "")))
        assert set(seen.figures["ours"]) == {0.0}
        assert gc.isenabled()


class TestGates:
    @pytest.mark.parametrize(
        ("reached", "met", "passed"),
        [(2.0, True, True), (2.5, False, True), (2.6, False, False)],
    )
    def test_a_gate_allows_a_quarter_more(self, reached: float, met: bool, passed: bool) -> None:
        one = outcome(figures("ours", reached))
        assert (one.met, one.passed) == (met, passed)

    def test_a_figure_in_a_unit_is_not_compared_with_the_limit(self) -> None:
        assert outcome(figures("ours", 1.9), Fixed("limit", 0.1), unit="ms").met

    def test_the_program_fails_and_names_what_is_missed(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert _gate([outcome(figures("ours", 1.0))]) == 0
        assert _gate([outcome(figures("ours", 1.0)), outcome(figures("ours", 7.0))]) == 1
        assert capsys.readouterr().err == "missed: X1 something: 7, allowed 2.5\n"


class TestLoops:
    def test_every_result_is_looked_at(self) -> None:
        wrong_once = Loop("ours", {"a": 1, "b": 2}.get, ["a", "b", "c"], lambda _, n: n, calls=3)
        with pytest.raises(WrongAnswer, match="ours"):
            wrong_once.measure()

    def test_new_bytes_are_not_held_beyond_a_few_mib(self) -> None:
        sizes: list[int] = []

        class Seen(Loop):
            def _verify(self, arguments: list[object], results: list[object]) -> None:
                sizes.append(len(results))

        Seen("ours", str, ["a"], lambda *_: True, brings=2**20, calls=10).measure()
        assert sizes == [4, 4, 2]

    def test_a_call_may_count_as_several_and_be_given_more(self) -> None:
        loop = Loop("ours", str, ["a"], lambda *_: True, each=50, more=3.0, calls=1)
        assert 3.0 <= loop.measure() < 4.0


class TestTheTable:
    def test_a_row_says_who_needed_how_long(self) -> None:
        one = outcome(
            figures("ours", 3e-6), figures("dict.get", 2e-6), peers=[Fixed("other", 8e-6)]
        )
        assert report.cells(one) == (
            "X1", "something", "dict.get, 2 µs", "other 4", "1.5", "2", "yes",
        )  # fmt: skip

    def test_it_is_written_into_the_page_and_nothing_else_is(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
        report.write_page(page, "| new |", "A machine")
        assert page.read_text() == (
            f"before\n{report.BEGIN}\nMeasured on: A machine.\n\n| new |\n{report.END}\nafter\n"
        )

    def test_a_page_without_a_place_is_left_alone(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("nothing")
        with pytest.raises(ValueError, match="no place"):
            report.write_page(page, "| new |", "A machine")

    def test_the_page_of_the_project_has_a_place(self) -> None:
        text = (Path(__file__).parents[2] / "docs/performance.md").read_text()
        assert text.count(report.BEGIN) == text.count(report.END) == 1

    def test_json_has_every_figure(self) -> None:
        [plain] = json.loads(report.as_json([outcome(figures("ours", 3.0))], "A machine"))["cases"]
        assert plain["figures"]["ours"] == [3.0, 3.0, 3.0]
        assert (plain["reached"], plain["goal"], plain["allowed"]) == (3.0, 2.0, 2.5)


def test_every_row_has_a_family() -> None:
    assert sorted(row for rows in FAMILIES.values() for row in rows) == sorted(PERFORMANCE_ROWS)
