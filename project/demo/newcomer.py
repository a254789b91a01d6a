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
    try:
        done = subprocess.run(
            [sys.executable, str(MANAGE), "demo", OPTION],
            input=json.dumps({"stage": stage.setting, "phrases": phrases}),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NewcomerFailed(f"it said nothing within {PATIENCE} s") from error
    if done.returncode != 0:
        raise NewcomerFailed(done.stderr.strip()[-1000:] or f"exit code {done.returncode}")
    told = json.loads(done.stdout)
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
