"""What a run needs around it: a folder that is its own, a Redis of its own, an end in order."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from django.core.files import locks
from django.core.management.base import CommandError

MARK: Final = ".demo-lock"
CLIPS: Final = "clips"
CACHE: Final = "cache"
FOREIGN: Final = ("CACHE_", "TTS_", "ELEVENLABS_", "ELEVEN_LABS_", "OPENAI_")


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """The folder, empty and ours alone meanwhile. Raises CommandError when it is another's."""
    mark = folder / MARK
    if folder.exists() and not mark.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError(f"--output: {folder} is there already, and no demo made it")
    folder.mkdir(parents=True, exist_ok=True)
    with mark.open("w") as held:
        if not locks.lock(held, locks.LOCK_EX | locks.LOCK_NB):
            raise CommandError(f"another demo is running in {folder}: wait, or use --output")
        (folder / ".gitignore").write_text("*\n")
        for part in (CLIPS, CACHE):
            if (folder / part).exists():
                shutil.rmtree(folder / part)
            (folder / part).mkdir()
        yield


def start_redis(stack: ExitStack) -> tuple[str | None, str]:
    """The address of a Redis that ends with `stack`, None without one; and a sentence on it."""
    if find_spec("django_redis") is None:
        return None, "its client is missing: pip install 'django-audiocache[redis]'"
    try:
        # Not on every system is there all that it stands on.
        from project import servers

        server = stack.enter_context(servers.start_redis())
    except (ImportError, RuntimeError, OSError) as error:
        return None, str(error)
    # A machine that is busy with other things is no Redis in trouble.
    return (
        f"{server.url}?socket_timeout=5",
        f"{server.name} {server.version} on {server.host}:{server.port}",
    )


@contextmanager
def an_end_in_order() -> Iterator[None]:
    """Being ended unwinds as Ctrl-C does, so that nothing that was started goes on."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def is_foreign(name: str) -> bool:
    """Would this name in the environment configure a site?"""
    return name.startswith(FOREIGN)


def foreign_settings() -> list[str]:
    """Names in the environment that would configure a site, and do not configure a demo."""
    return sorted(filter(is_foreign, os.environ))
