"""The published document against the running site: schemathesis asks, right and wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tts.api.conftest import GUNICORN, Site, running
from tests.tts.vendors import openai

PROGRAM = str(Path(sys.executable).parent / "schemathesis")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Whatever model is named, it speaks: else hardly any answer would be a sound."""
    folder = tmp_path_factory.mktemp("any_model")
    yield from running(GUNICORN, folder, openai.answer_for_any_model)


def findings(site: Site, folder: Path, *options: str) -> str:
    """What it prints; it ends with 1 when it has found something."""
    done = subprocess.run(
        [
            PROGRAM, "run", f"{site.url}/openapi.json", "--checks", "all", "--no-color",
            "--header", f"Authorization: Bearer {site.keys['usual']}", "--seed", "1",
            "--generation-database", "none", *options,
        ],
        capture_output=True, text=True, timeout=900, check=False, cwd=folder, env=dict(os.environ),
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.soak
def test_schemathesis_finds_nothing(site: Site, tmp_path: Path) -> None:
    assert findings(site, tmp_path, "--phases", "coverage") == ""


@pytest.mark.soak
def test_schemathesis_finds_nothing_by_chance(site: Site, tmp_path: Path) -> None:
    examples = "100" if os.environ.get("SOAK") == "short" else "500"
    assert findings(site, tmp_path, "--max-examples", examples) == ""
