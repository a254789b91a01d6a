"""Law 6: a paid clip is not lost, and a broken cache does not break the caller's work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

SITE = Path(__file__).parents[1] / "sites" / "rollback.py"


@pytest.fixture(params=["sqlite", "postgresql"])
def site_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new and empty database of the site."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'site.sqlite3'}"
        return
    server = os.environ["TEST_POSTGRES_URL"]
    name = f"site_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield f"{server.rpartition('/')[0]}/{name}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def seen(site_url: str, tmp_path: Path) -> dict[str, Any]:
    """What the site's process saw."""
    done = subprocess.run(
        [sys.executable, str(SITE), site_url, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SITE.parents[2])},
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_law_6_a_rollback_keeps_the_clip_and_trouble_leaves_the_transaction_usable(
    seen: dict[str, Any],
) -> None:
    for order in ("before", "after"):
        assert seen[f"{order} rollback"] == {"status": 500, "row": False, "clip": "paid for"}
        assert seen[f"{order} commit"] == {"status": 200, "row": True, "clip": "paid for"}
        assert seen[f"{order} without table"] == {"status": 200, "row": True}
