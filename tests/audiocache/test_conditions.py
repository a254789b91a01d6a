"""What If-Match and If-None-Match leave of a request (RFC 9110, section 13)."""

from __future__ import annotations

import pytest

from audiocache.conditions import unmet

ETAG = '"ours"'
OTHER = '"another"'


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "status"),
    [
        ("", "", None),
        (ETAG, "", None),
        ("*", "", None),
        (f"{OTHER}, {ETAG}", "", None),
        ("abc", "", None),
        (OTHER, "", 412),
        (f"W/{ETAG}", "", 412),
        (OTHER, ETAG, 412),
        ("", OTHER, None),
        ("", "abc", None),
        ("", ETAG, 304),
        ("", f"W/{ETAG}", 304),
        ("", f'"a,b", {ETAG}', 304),
        ("", "*", 304),
        (ETAG, ETAG, 304),
    ],
)
def test_conditions(if_match: str, if_none_match: str, status: int | None) -> None:
    assert unmet(if_match, if_none_match, ETAG) == status


def test_there_was_nothing_of_which_a_client_could_have_any() -> None:
    assert unmet("", "*", ETAG, is_new=True) is None
    assert unmet("", ETAG, ETAG, is_new=True) == 304
