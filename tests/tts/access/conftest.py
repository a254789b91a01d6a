"""Keys that are used, and are gone with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tts.access.last_use import last_use


@pytest.fixture(autouse=True)
def _nothing_to_write() -> Iterator[None]:
    """The pulse has no key of these tests to write of."""
    yield
    last_use.after_fork()
