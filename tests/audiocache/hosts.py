"""Processes of a site, each with a folder of its own, that are told what to do line by line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SITE = Path(__file__).parents[1] / "sites" / "host.py"
SECOND = 1.0


class Host:
    """One process; it may stand still, and be ended and started again."""

    def __init__(self, folder: Path, redis: str, url: str = "", **more: Any) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        url = url or f"sqlite:///{folder / 'site.sqlite3'}"
        self._words = [sys.executable, str(SITE), url, str(folder), redis, json.dumps(more)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(SITE.parents[2])},
        )

    def __call__(self, verb: str, *words: Any) -> Any:
        """The answer of one of the cache's verbs."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([verb, *words]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        return json.loads(line)

    def until_gone(self, text: str) -> float:
        """Seconds until a clip is a miss; it is asked for all the time, as a busy server does."""
        begun = time.monotonic()
        while self("get", text) is not None:
            assert time.monotonic() - begun < 5 * SECOND, self("where", text)
            time.sleep(0.01)
        return time.monotonic() - begun

    def stand_still(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        self._process.communicate(timeout=20)
