"""Which values stay as they are, and which are held as they were."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.safestring import SafeString, mark_safe

from audiocache.entries import AudioEntry
from audiocache.freezing import Pickled, freeze, thaw


def entry(audio: bytes | bytearray = b"sound", text: str | None = "hello") -> AudioEntry:
    return AudioEntry(
        key="k",
        namespace="",
        text_digest="d",
        text=text,
        variant="",
        content_type="audio/wav",
        created=1,
        expires=2,
        keep_until=3,
        source_key="k",
        transcoded_from="",
        duration_ms=None,
        cost=None,
        billed_units=None,
        timings="",
        tags=("a", "b"),
        audio=audio,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "value",
    [
        b"audio",
        "text",
        7,
        2**200,
        1.5,
        1j,
        True,
        Decimal("1.5"),
        UUID(int=1),
        date(2026, 1, 1),
        timedelta(1),
        (1, (b"a", None)),
        frozenset({1}),
        entry(),
    ],
    ids=repr,
)
def test_what_nobody_can_change_stays_as_it_is(value: object) -> None:
    held, size = freeze(value)
    assert held is value
    assert thaw(held) is value
    assert size > 0


@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, {1}, bytearray(b"a"), (1, [2]), mark_safe("a"), entry(bytearray(b"a"))],
    ids=repr,
)
def test_anything_else_is_held_as_it_was(value: Any) -> None:
    held, size = freeze(value)
    assert isinstance(held, Pickled)
    assert size == len(held.data)
    found = thaw(held)
    assert found == value
    assert found is not value
    assert type(found) is type(value)


def test_none_is_held_as_something_else() -> None:
    held, size = freeze(None)
    assert held is not None
    assert thaw(held) is None
    assert size == 0


def test_the_size_of_bytes_is_their_number_and_an_entry_counts_all_it_has() -> None:
    assert freeze(bytes(1000))[1] == 1000
    grown = freeze(entry(bytes(1000), "x" * 500))[1] - freeze(entry(b"", ""))[1]
    assert grown == 1500


def test_a_safe_string_stays_safe() -> None:
    assert isinstance(thaw(freeze(mark_safe("<b>"))[0]), SafeString)
