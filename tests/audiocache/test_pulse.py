"""The one background thread: lazy, held weakly, outliving errors, stopped, and new in a child."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import Queue

import pytest

from audiocache.pulse import Pulse

NAME = "audiocache-pulse"


class Work:
    def __init__(self, times: int = 1, error: Exception | None = None) -> None:
        self.done = 0
        self.threads: set[str] = set()
        self.enough = threading.Event()
        self._times, self._error = times, error

    def beat(self) -> None:
        self.done += 1
        self.threads.add(threading.current_thread().name)
        if self.done >= self._times:
            self.enough.set()
        if self._error:
            raise self._error


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    pulse = Pulse()
    yield pulse
    pulse.stop()
    assert not pulse.running


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_nothing_starts_by_itself(pulse: Pulse) -> None:
    before = threads()
    pulse.ensure()
    assert not pulse.running
    pulse.every(1, Work().beat)
    assert not pulse.running
    assert threads() == before


def test_work_is_done_again_and_again_by_one_thread(pulse: Pulse) -> None:
    fast, other = Work(times=3), Work(times=2)
    pulse.every(0.01, fast.beat)
    pulse.every(0.01, other.beat)
    for _ in range(5):
        pulse.ensure()
    assert fast.enough.wait(10)
    assert other.enough.wait(10)
    assert fast.threads == {NAME}
    assert pulse.running


def test_one_failing_work_does_not_end_the_others(
    pulse: Pulse, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Work(error=ValueError("no")), Work(times=3)
    pulse.every(0.01, bad.beat)
    pulse.every(0.01, good.beat)
    pulse.ensure()
    assert good.enough.wait(10)
    assert "background work failed work=Work.beat" in caplog.text


def test_a_cache_that_is_gone_is_not_kept_alive(pulse: Pulse) -> None:
    gone, there = Work(), Work(times=2)
    pulse.every(0.01, gone.beat)
    pulse.every(0.01, there.beat)
    del gone
    gc.collect()
    pulse.ensure()
    assert there.enough.wait(10)
    assert len(pulse._beats) == 1


def test_what_is_new_wakes_a_pulse_that_sleeps_past_its_time(pulse: Pulse) -> None:
    old, new = Work(), Work()
    pulse.every(3600, old.beat)
    pulse.ensure()
    pulse.soon(old.beat)
    assert old.enough.wait(10)
    pulse.every(0.01, new.beat)
    assert new.enough.wait(10)


def test_where_no_thread_can_be_started_nothing_is_raised_and_the_next_use_tries_again(
    pulse: Pulse, caplog: pytest.LogCaptureFixture, no_threads: Callable[[], object]
) -> None:
    work = Work()
    pulse.every(0.01, work.beat)
    pulse.ensure()
    pulse.ensure()
    refused = pulse.running
    pulse.stop()  # as at the end of the process: there is nothing to join
    no_threads()
    pulse.ensure()
    assert work.enough.wait(10)
    assert (refused, pulse.running) == (False, True)
    assert caplog.text.count("the background thread could not be started") == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_is_started_again(pulse: Pulse) -> None:
    class Killed(BaseException):
        pass

    class Deadly(Work):
        def beat(self) -> None:
            super().beat()
            if self.done == 1:
                raise Killed

    work = Deadly(times=2)
    pulse.every(0.01, work.beat)
    pulse.ensure()
    [thread] = [one for one in threads() if one is pulse._thread]
    thread.join(10)
    assert not pulse.running
    pulse.ensure()
    assert work.enough.wait(10)


def test_a_call_is_made_once_by_the_thread_and_an_error_ends_nothing(pulse: Pulse) -> None:
    done: Queue[str] = Queue()
    pulse.once(pytest.fail)  # there is no thread that it could be for
    work = Work()
    pulse.every(3600, work.beat)
    pulse.ensure()
    pulse.once([].pop)
    pulse.once(lambda: done.put(threading.current_thread().name))
    assert done.get(timeout=10) == NAME
    pulse.soon(work.beat)
    assert work.enough.wait(10)
    assert done.empty()


def test_stopping_does_all_work_once_more_here(pulse: Pulse) -> None:
    work = Work()
    pulse.every(3600, work.beat)
    pulse.ensure()
    pulse.stop()
    assert (work.done, work.threads) == (1, {threading.current_thread().name})
    pulse.stop()
    assert work.done == 1
    pulse.ensure()
    assert pulse.running


def test_work_may_be_wanted_at_once_and_say_when_again(pulse: Pulse) -> None:
    times: list[float] = []
    enough = threading.Event()

    class Poll:
        def beat(self) -> float:
            times.append(time.monotonic())
            if len(times) == 4:
                enough.set()
            return 0.02 if len(times) < 4 else 3600

    poll = Poll()
    pulse.every(3600, poll.beat)
    pulse.ensure()
    time.sleep(0.05)
    assert times == []
    pulse.soon(poll.beat)
    assert enough.wait(10)
    assert all(after - before >= 0.02 for before, after in itertools.pairwise(times))
    pulse.soon(poll.beat)
    while len(times) == 4:
        time.sleep(0.001)


def test_work_that_is_wanted_while_it_runs_is_done_again(pulse: Pulse) -> None:
    again = threading.Event()

    class Poll:
        done = 0

        def beat(self) -> float:
            self.done += 1
            if self.done == 1:
                pulse.soon(self.beat)
            else:
                again.set()
            return 3600

    poll = Poll()
    pulse.every(3600, poll.beat)
    pulse.ensure()
    pulse.soon(poll.beat)
    assert again.wait(10)


def test_work_that_is_wanted_while_its_next_time_is_reckoned_is_done_again(pulse: Pulse) -> None:
    again = threading.Event()

    class Asking(float):
        """Somebody asks at the very instant at which the answer is added to the time."""

        def __radd__(self, now: float) -> float:
            pulse.soon(poll.beat)
            return now + float(self)

    class Poll:
        answers: Iterator[float] = iter([Asking(3600)])

        def beat(self) -> float:
            if (answer := next(self.answers, None)) is None:
                again.set()
            return answer or 3600.0

    poll = Poll()
    pulse.every(3600, poll.beat)
    pulse.ensure()
    pulse.soon(poll.beat)
    assert again.wait(10)


def test_work_that_failed_is_tried_again_soon(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.pulse.FAILED_SECONDS", 0.01)
    bad = Work(times=3, error=ValueError("no"))
    pulse.every(3600, bad.beat)
    pulse.ensure()
    pulse.soon(bad.beat)
    assert bad.enough.wait(10)


def test_a_work_may_stop_the_pulse_it_runs_on(pulse: Pulse) -> None:
    ended = threading.Event()

    class Last:
        def beat(self) -> None:
            pulse.stop()
            ended.set()

    last = Last()
    pulse.every(0.01, last.beat)
    pulse.ensure()
    assert ended.wait(10)
    assert not pulse.running


def test_in_a_child_it_starts_again() -> None:
    pulse = Pulse()
    work = Work()
    pulse.every(3600, work.beat)
    pulse.ensure()
    [thread] = [one for one in threads() if one is pulse._thread]
    wake = pulse._wake
    pulse.after_fork()
    after = pulse.running
    pulse.ensure()
    assert (after, pulse.running) == (False, True)
    pulse.stop()
    wake.set()
    thread.join(10)


FORKING = """
import os, threading, time
from audiocache.pulse import pulse

class Work:
    def beat(self):
        os.write(1, b"%d " % os.getpid())

work = Work()
pulse.every(0.01, work.beat)
pulse.ensure()
child = os.fork()
if child == 0:
    assert not pulse.running
    pulse.ensure()
    time.sleep(0.3)
    assert sum(thread.name == "audiocache-pulse" for thread in threading.enumerate()) == 1
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(child, os.getpid())
"""


def test_parent_and_child_each_have_their_own() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, check=True
    )
    *beats, child, parent = done.stdout.split()
    assert beats.count(child) > 2
    assert beats.count(parent) > 2


def test_at_the_end_of_the_process_all_work_is_done_once_more() -> None:
    program = (
        "from audiocache.pulse import pulse\n"
        "class Work:\n    def beat(self): print('flushed')\n"
        "work = Work()\npulse.every(3600, work.beat)\npulse.ensure()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["flushed"]
