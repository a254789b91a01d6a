"""A run that is ended by its supervisor ends as by Ctrl-C: what is under way is paid for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

INTERRUPTED: Final = 130
"""What a shell makes of Ctrl-C."""
SIGNALS: Final = ("SIGTERM", "SIGHUP")


@contextmanager
def as_interruption() -> Iterator[None]:
    """Have being ended raise KeyboardInterrupt here, unless somebody else sees to it."""
    # Handlers are the main thread's; what is ignored (nohup) or handled stays as it is.
    mine = threading.current_thread() is threading.main_thread()
    named = [getattr(signal, name) for name in SIGNALS if mine and hasattr(signal, name)]
    numbers = [one for one in named if signal.getsignal(one) == signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def exit_code_of(interruption: KeyboardInterrupt) -> int:
    """As a shell tells it: 130, or 143 for SIGTERM."""
    return int(interruption.args[0]) if interruption.args else INTERRUPTED


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(128 + number)
