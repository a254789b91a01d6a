"""Workers that collect a file at a time run what one process would, and say what went wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLUGINS = ("xdist", "tests.collecting_plugin", "tests.scheduling_plugin")
SHARED = """
import pytest
from pathlib import Path

@pytest.fixture(scope="module")
def made():
    with Path(__file__).with_name("made").open("a") as file:
        print(file=file)

@pytest.mark.parametrize("number", range(20))
def test_shares(made, number):
    pass
"""


def run(folder: Path, *arguments: str, **files: str) -> tuple[int, str]:
    """pytest's exit code and words, of these files."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = django_db\n")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    words = [word for plugin in PLUGINS for word in ("-p", plugin)]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COVERAGE_"))} | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "TEST_FOLDER": str(folder)
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-n2", *arguments],
        cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_file_stays_together_and_choices_hold(tmp_path: Path) -> None:
    more = {f"more_{number}": "def test_more(): pass\ndef test_other(): pass" for number in "abcd"}
    code, said = run(tmp_path, "-k", "shares or other", shared=SHARED, **more)
    assert code == 0, said
    assert re.search(r"= 24 passed in", said), said
    assert "[100%]" in said
    assert (tmp_path / "made").read_text() == "\n"


def test_every_fault_is_told(tmp_path: Path) -> None:
    code, said = run(
        tmp_path,
        unreadable="import nothing_of_that_name",
        dead="import os\ndef test_dead(): os._exit(3)",
        red="def test_red(): assert 1 == 2",
        shared=SHARED,
    )
    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert re.search(r"= 2 failed, 20 passed, 1 error in", said), said
    assert "No module named 'nothing_of_that_name'" in said
    assert "crashed while running" in said
    assert "assert 1 == 2" in said


def test_a_choice_of_nothing_is_no_success(tmp_path: Path) -> None:
    code, said = run(tmp_path, "-k", "of_no_test", shared=SHARED)
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED, said


def test_a_test_that_is_named_is_found(tmp_path: Path) -> None:
    code, said = run(tmp_path, "test_shared.py::test_shares[7]", shared=SHARED)
    assert code == 0, said
    assert re.search(r"= 1 passed in", said), said
