"""Work in processes of their own: they get ready, wait for the word, and say what they saw.

Run as a module this is such a process. What it needs to know comes on its standard input: a
database's password is nothing for a command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks import stage as stages
from benchmarks.stage import Stage

LONGEST_SECONDS: Final = 120.0

Work = Callable[[], Any]


class Crew:
    """So many processes that do the same."""

    def __init__(self, stage: Stage, number: int, target: str, given: Mapping[str, Any]) -> None:
        """`target` is "module:function": it takes `given` and gives the work, as a function."""
        order = {
            "folder": str(stage.folder), "postgres": stage.postgres, "redis_url": stage.redis_url,
            "target": target, "given": dict(given),
        }  # fmt: skip
        self._members = [_start(json.dumps(order, default=str)) for _ in range(number)]
        for member in self._members:
            _line(member)

    def work(self) -> list[Any]:
        """Give the word; what each of them said."""
        self.go()
        return self.answers()

    def go(self) -> None:
        """Give the word."""
        for member in self._members:
            _tell(member, "go")

    def answers(self) -> list[Any]:
        """What each of them said."""
        said = [json.loads(_line(member)) for member in self._members]
        for member in self._members:
            member.communicate(timeout=LONGEST_SECONDS)
        return said


def _start(order: str) -> subprocess.Popen[str]:
    member = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.processes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    _tell(member, order)
    return member


def _tell(member: subprocess.Popen[str], word: str) -> None:
    assert member.stdin
    member.stdin.write(f"{word}\n")
    member.stdin.flush()


def _line(member: subprocess.Popen[str]) -> str:
    assert member.stdout
    line = member.stdout.readline()
    if not line:
        raise RuntimeError(f"a process ended with {member.wait(LONGEST_SECONDS)}")
    return line


def main() -> None:
    """Be one of a crew."""
    order = json.loads(sys.stdin.readline())
    stages.set_up(Path(order["folder"]), order["postgres"])
    module, _, name = order["target"].partition(":")
    work: Work = getattr(import_module(module), name)({**order["given"], **order})
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(work()), flush=True)


if __name__ == "__main__":
    main()
