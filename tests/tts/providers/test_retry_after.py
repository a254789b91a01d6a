"""Retry-After as RFC 9110 section 10.2.3 has it, and as the field has it."""

from __future__ import annotations

import pytest

from tts.providers.retry_after import LONGEST, seconds_to_wait

NOON = 1_795_435_200.0
DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        (" 120 ", 120),
        ("9" * 40, LONGEST),
        ("9" * 13, LONGEST),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST),
        (DATE, 0),
        ("Mon, 23 Nov 2026 12:00:05 GMT", 5),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 13:00:05 +0100", 5),
        ("Monday, 23-Nov-26 12:00:05 GMT", 5),
        ("Mon Nov 23 12:00:05 2026", 5),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e3", None),
        ("٣", None),
        ("Mon, 99 Nov 2026 12:00:05 GMT", None),
        ("Mon, 23 Nov 99999999 12:00:05 GMT", None),
    ],
)
def test_seconds_and_dates(value: str, seconds: float | None) -> None:
    assert seconds_to_wait({"Retry-After": value}, now=NOON) == seconds


def test_a_date_is_read_by_the_clock_that_wrote_it() -> None:
    headers = {"Retry-After": "Mon, 23 Nov 2026 12:00:05 GMT", "Date": DATE}
    assert seconds_to_wait(headers, now=NOON - 86_400) == 5


def test_no_header_is_no_wait() -> None:
    assert seconds_to_wait({}) is None
