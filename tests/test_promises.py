"""The page of promises names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/\S+?\.py::\S+?)`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_a_promise_is_held_by_a_test(name: str) -> None:
    file, *path = name.split("::")
    scope: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
    for part in path:
        found = [node for node in scope if getattr(node, "name", None) == part]
        assert found, f"{part} is not in {file}"
        scope = getattr(found[0], "body", [])


def test_every_promise_names_one() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| ") and "what happens" not in line
    ]
    assert len(rows) > 30
    assert all("tests/" in row for row in rows)
