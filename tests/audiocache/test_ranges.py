"""One range of bytes, as RFC 9110 section 14 has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiocache.ranges import NotSatisfiable, one_range

SIZE = 10


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-", (0, 10)),
        ("bytes=0-0", (0, 1)),
        ("bytes=9-9", (9, 10)),
        ("bytes=8-99", (8, 10)),
        (f"bytes=8-{10**30}", (8, 10)),
        (f"bytes=-{10**30}", (0, 10)),
        ("bytes=0000000000000000000000002-3", (2, 4)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("Bytes=0-0", (0, 1)),
        ("bytes=,0-0", (0, 1)),
        ("bytes= 0-0 ,\t", (0, 1)),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=,", None),
        ("bytes=0-1,4-5", None),
        ("items=0-1", None),
        ("bytes=5-2", None),
        ("bytes=99-2", None),
        ("bytes=+1-2", None),
        ("bytes=--1", None),
        ("bytes=1_0-", None),
        ("bytes=\u0661-", None),
        ("bytes=\xb2-", None),
        ("bytes=0 - 1", None),
        ("bytes=0x1-2", None),
        ("bytes=-", None),
        ("bytes=0", None),
        ("bytes =0-1", None),
        (f"bytes=0-{'9' * 5000}", None),
    ],
)
def test_ranges(header: str, part: tuple[int, int] | None) -> None:
    assert one_range(header, SIZE) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", f"bytes={10**40}-", "bytes=-0"])
def test_ranges_behind_the_end(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        one_range(header, SIZE)


@given(st.text(), st.integers(1, 100))
def test_whatever_is_sent_is_a_part_or_the_whole(rest: str, size: int) -> None:
    try:
        part = one_range(f"bytes={rest}", size)
    except NotSatisfiable:
        return
    assert part is None or 0 <= part[0] < part[1] <= size
