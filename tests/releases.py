"""Checkouts of earlier releases, from the history of this repository."""

from __future__ import annotations

import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIRST = "f270e54"
"""Stands for the last release until there is a tag."""


def last_release() -> str:
    """LAST_RELEASE, any name that git knows; else the newest tag."""
    tag = _git("describe", "--tags", "--abbrev=0", "HEAD").stdout.decode().strip()
    return os.environ.get("LAST_RELEASE") or tag or FIRST


def check_out(name: str, folder: Path) -> Path:
    """The tree of a release in a folder; skips the test where no history has it."""
    if not (ROOT / ".git").exists():
        pytest.skip("an earlier release cannot be had: this is no git checkout")
    found = _git("archive", "--format=tar", name)
    if found.returncode:
        told = found.stderr.decode().strip()
        pytest.skip(f"an earlier release cannot be had (is this clone a shallow one?): {told}")
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        # An attribute, for Python before 3.11.4 knows no argument; later ones ask for a filter.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    return folder


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)
