"""A pass in a process of its own: it knows nothing but the folder and the Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from project.demo import passes
from project.demo.passes import Answer, Pass
from project.demo.phrases import Phrase
from project.demo.stage import Stage

MANAGE: Final = Path(__file__).resolve().parents[2] / "manage.py"
OPTION: Final = "--newcomer"
PATIENCE: Final = 120
"""Seconds."""


class NewcomerFailed(RuntimeError):
    """The other process did not answer; the message is the end of what it said."""


class Told(NamedTuple):
    """What the other process has done and counted."""

    passed: Pass
    counted: dict[str, int]


def send(stage: Stage, phrases: Sequence[Phrase]) -> Told:
    """Have the phrases asked for in a new process. Raises NewcomerFailed."""
    order = json.dumps({"stage": stage.setting, "phrases": phrases})
    with subprocess.Popen(
        [sys.executable, str(MANAGE), "demo", OPTION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            said, wrong = process.communicate(order, PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise NewcomerFailed(f"it said nothing within {PATIENCE} s") from error
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise NewcomerFailed(wrong.strip()[-1000:] or f"exit code {process.returncode}")
    told = json.loads(said)
    answers = [Answer(*answer) for answer in told["answers"]]
    return Told(Pass(answers, told["calls"]), told["counted"])


def answer(job: str) -> str:
    """In the other process: do the job, and tell it as JSON. Raises TTSError."""
    order = json.loads(job)
    stage = Stage(**order["stage"])
    try:
        passed = passes.run(stage, [Phrase(*phrase) for phrase in order["phrases"]])
        counted = stage.counted()
    finally:
        stage.close()
    return json.dumps({"answers": passed.answers, "calls": passed.calls, "counted": counted})
