"""The one background thread of the process (law 13): lazy, fork-safe, stopped at exit.

It extends leases, looks for outcomes, flushes counters and hit times. Work is held weakly: a
cache that is gone is not kept alive.
"""

from __future__ import annotations

import atexit
import logging
import math
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from audiocache.forks import renew_in_child
from audiocache.workers import finish_all

logger = logging.getLogger(__name__)

Work = Callable[[], float | None]
"""Answers in how many seconds it wants to be called again; None: at its interval."""

AT_ONCE_SECONDS: Final = 0.5
"""Leases are to be extended, and removals to be heard, beside whatever there is to write."""
FAILED_SECONDS: Final = 1.0
"""Work that failed is tried again after this, or at its interval if that is shorter."""


@dataclass(slots=True)
class _Beat:
    work: weakref.WeakMethod[Work]
    seconds: float
    due: float
    """Written by who does the work, and by nobody else: what others write could be lost."""
    asked: bool = False
    """Somebody wants it at once. Set by whoever that is, and taken back before the work begins."""

    def when(self) -> float:
        return 0.0 if self.asked else self.due


class Pulse:
    """Calls registered methods at their intervals from one daemon thread."""

    def __init__(self) -> None:
        self._beats: list[_Beat] = []
        self._owed = False
        """It ran, here or in the parent: something may have been counted since."""
        self._refused = False
        """It could not be started the last time, which is logged once."""
        self._thread: threading.Thread | None
        self._lock: threading.Lock
        self._wake: threading.Event
        self.after_fork()
        renew_in_child(self)

    def every(self, seconds: float, work: Work) -> None:
        """Call a bound method each `seconds`. Starts nothing: see `ensure`."""
        beat = _Beat(weakref.WeakMethod(work), seconds, time.monotonic() + seconds)
        with self._lock:  # a list that another thread makes anew meanwhile would lack it
            self._beats = [*self._beats, beat]
            self._wake.set()  # it may sleep past this one's time

    def forget(self, work: Work) -> None:
        """Call a method of `every` no more."""
        with self._lock:
            self._beats = [beat for beat in self._beats if beat.work() != work]

    def soon(self, work: Work) -> None:
        """Call a method of `every` at once, and not only when its time has come."""
        for beat in self._beats:
            if beat.work() == work:
                beat.asked = True
        self._wake.set()

    def once(self, call: Callable[[], object]) -> None:
        """Have the thread, if there is one, do this soon and once: it is held until then."""
        if self._thread is not None:
            self._calls.append(call)
            self._wake.set()

    def is_here(self) -> bool:
        """Is the caller on the thread of the pulse? What blocks there holds up all else."""
        return self._thread is threading.current_thread()

    def allowance(self) -> float:
        """Until when (monotonic) a work may go on that is called now, before it asks for another
        turn: on the pulse not for long, elsewhere as long as it takes.
        """
        return time.monotonic() + AT_ONCE_SECONDS if self.is_here() else math.inf

    def ensure(self) -> None:
        """Start the thread if it does not run: cheap enough for every call past memory.

        Where the system has no thread to give, nothing is raised: see `running`.
        """
        if self._thread is None:
            self._start()

    def stop(self) -> None:
        """End the thread and do all work once more, so that nothing counted is lost."""
        with self._lock:
            thread, self._thread = self._thread, None
            owed, self._owed = self._owed, False
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
        if owed and thread is not threading.current_thread():
            for beat in list(self._beats):
                self._do(beat)

    @property
    def running(self) -> bool:
        """Is there a thread at this moment?"""
        return self._thread is not None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and self._beats:
                self._wake = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._wake,), name="audiocache-pulse", daemon=True
                )
                self._owed = True
                self._begin(self._thread)

    def _begin(self, thread: threading.Thread) -> None:
        """Start it, or leave it to the next `ensure`: callers must not fail for want of it."""
        try:
            thread.start()
        except RuntimeError as error:  # as many as the system allows, or Python is at its end
            self._thread = None
            if not self._refused:
                logger.warning("the background thread could not be started: %s", error)
        else:
            _end_in_order()
        self._refused = self._thread is None

    def _run(self, wake: threading.Event) -> None:
        try:
            self._beat_on(wake)
        finally:
            with self._lock:
                if self.is_here():  # ended by what is no Exception: `ensure` starts another
                    self._thread = None

    def _beat_on(self, wake: threading.Event) -> None:
        while self.is_here():
            if wake.wait(self._pause()):
                wake.clear()
            self._do_calls()
            now = time.monotonic()
            for beat in [beat for beat in self._beats if beat.when() <= now]:
                if self.is_here():  # stopped meanwhile
                    self._do(beat)

    def _do_calls(self) -> None:
        while self._calls:
            try:
                self._calls.popleft()()
            except Exception:
                logger.exception("background work failed")

    def _pause(self) -> float:
        now = time.monotonic()
        return max(0.0, min((beat.when() for beat in self._beats), default=now + 1) - now)

    def _do(self, beat: _Beat) -> None:
        work = beat.work()
        if work is None:
            with self._lock:
                self._beats = [other for other in self._beats if other is not beat]
            return
        beat.asked = False  # who asks from now on wants it once more
        beat.due = time.monotonic() + beat.seconds
        try:
            if (wanted := work()) is not None:
                beat.due = time.monotonic() + wanted
        except Exception:
            # The thread must outlive one bad beat: nobody would start it for the others.
            beat.due = min(beat.due, time.monotonic() + FAILED_SECONDS)
            logger.exception("background work failed work=%s", work.__qualname__)

    def after_fork(self) -> None:
        """Start anew: the thread stayed in the parent, `ensure` starts another."""
        self._thread = None
        self._calls: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()


pulse = Pulse()
"""The pulse of this process."""


def finish(**_: object) -> None:
    """The end of the process: calls under way are finished and stored, then all is flushed."""
    finish_all()
    pulse.stop()


def _end_in_order() -> None:
    """Children of `multiprocessing` and of Celery leave past what is registered at exit."""
    processes = sys.modules.get("multiprocessing.process")
    if processes and processes.parent_process():
        import_module("multiprocessing.util").Finalize(None, finish, exitpriority=0)
    if signals := sys.modules.get("celery.signals"):
        signals.worker_process_shutdown.connect(finish)


atexit.register(finish)
