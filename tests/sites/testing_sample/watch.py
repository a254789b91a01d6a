"""Sees what a test must not do: open files for writing, sockets, databases; start threads."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

SITE = Path(__file__).resolve().parent.parent
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

seen: list[str] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        seen.append(f"{event} {arguments[1]}")
    elif event == "sqlite3.connect" and "mode=memory" not in str(arguments[0]):
        seen.append(f"{event} {arguments[0]}")
    if event == "open" and _writes_here(*arguments):
        seen.append(f"{event} {arguments[0]}")


def _writes_here(path: object, _: object, flags: object) -> bool:
    # Where the runner keeps its own files is its business.
    return isinstance(flags, int) and bool(flags & WRITING) and str(path).startswith(str(SITE))


sys.addaudithook(_watch)


def assert_nothing_left_the_process() -> None:
    assert seen == []
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("audiocache")], names
    assert not list(SITE.rglob("audio_cache*"))
    assert not list(SITE.rglob("cache"))
