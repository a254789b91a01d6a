"""From numbers to coordinates."""

from __future__ import annotations

import pytest

from tts.accounts_page.charts import HEIGHT, Chart, Column, bars, line, top_of
from tts.templatetags.accounts import count, milliseconds, money, share


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (4_100, 5_000), (51, 100)]
)
def test_a_scale_ends_at_a_round_number_that_nothing_passes(most: int, top: int) -> None:
    assert top_of([Column((most,), ""), Column((0,), "")]) == top


def test_parts_stand_on_one_another() -> None:
    below, above = bars([Column((30, 20), "noon")], ["again", "spent"], 100)
    assert (below.kind, below.y, below.height) == ("again", "70.00", "30.00")
    assert (above.kind, above.y, above.height) == ("spent", "50.00", "20.00")
    assert below.title == "noon"


def test_what_is_not_nothing_is_seen_and_stays_inside() -> None:
    [little] = bars([Column((1,), "")], ["spent"], 1_000_000)
    assert float(little.height) == 1
    assert bars([Column((0,), "")], ["spent"], 1) == []
    stack = bars([Column((1, 1_000_000), "")], ["again", "spent"], 1_000_000)
    assert sum(float(bar.height) for bar in stack) <= HEIGHT


def test_a_line_is_broken_where_nobody_asked() -> None:
    assert (
        line("memory", [1.0, 0.5, None, 0.0]).path
        == "M125.00 0.00 L375.00 50.00 h0 M875.00 100.00 h0"
    )
    assert not Chart("", "share", 1, (), lines=[line("memory", [None])]).is_drawn


def test_numbers_for_people() -> None:
    assert [money(n) for n in (0, 42, 4_200, 1_500_000, 12_345_678_900)] == [
        "$0.00", "$0.000042", "$0.0042", "$1.50", "$12,346",
    ]  # fmt: skip
    assert [count(None), count(1_234_567)] == ["-", "1,234,567"]
    assert [share(None), share(0), share(0.123)] == ["-", "0 %", "12.3 %"]
    assert [milliseconds(None), milliseconds(0.512), milliseconds(1048.6)] == ["-", "0.51", "1,049"]
