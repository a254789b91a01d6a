"""Threads of ours: lazy, bounded, with the caller's context, and each says farewell."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading

import pytest

from audiocache.lanes import MOST, Lanes
from audiocache.workers import MAX_THREADS, Inline, Workers

COLOUR = contextvars.ContextVar("colour", default="none")


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_nothing_is_started_before_the_first_call() -> None:
    before = names()
    workers = Workers()
    assert names() == before
    workers.close(lambda: None)
    assert names() == before


def test_a_call_runs_on_a_thread_of_ours_with_the_callers_context() -> None:
    workers = Workers()
    COLOUR.set("red")
    name, colour = workers.submit(lambda: (threading.current_thread().name, COLOUR.get())).result()
    assert name.startswith("audiocache")
    assert colour == "red"
    workers.submit(lambda: COLOUR.set("blue")).result()
    assert workers.submit(COLOUR.get).result() == "red"
    workers.close(lambda: None)


def test_there_are_no_more_threads_than_allowed() -> None:
    workers = Workers(max_threads=3)
    busy = threading.Barrier(3)
    found = [workers.submit(lambda: (busy.wait(10), threading.get_ident())[1]) for _ in range(9)]
    assert len({future.result(10) for future in found}) == 3
    workers.close(lambda: None)


def test_every_thread_says_farewell_once_and_all_end() -> None:
    workers = Workers(max_threads=4)
    busy = threading.Barrier(4)
    used = {workers.submit(lambda: (busy.wait(10), threading.get_ident())[1]) for _ in range(4)}
    idents = {future.result(10) for future in used}
    said: list[int] = []
    workers.close(lambda: said.append(threading.get_ident()))
    assert sorted(said) == sorted(idents)
    assert not idents & {thread.ident for thread in threading.enumerate()}


def test_what_runs_is_finished_before_the_end_and_its_thread_says_farewell() -> None:
    workers = Workers()
    begun, go = threading.Event(), threading.Event()

    def job() -> int:
        begun.set()
        assert go.wait(10)
        return threading.get_ident()

    future = workers.submit(job)
    assert begun.wait(10)
    threading.Timer(0.05, go.set).start()
    said: list[int] = []
    workers.close(lambda: said.append(threading.get_ident()))
    assert said.count(future.result(0)) == 1


def test_a_farewell_that_fails_keeps_nobody() -> None:
    workers = Workers()
    workers.submit(lambda: None).result()
    workers.close(lambda: 1 // 0)  # type: ignore[arg-type]
    assert workers.submit(lambda: 5).result() == 5
    workers.close(lambda: None)


def test_after_its_end_it_may_be_used_again() -> None:
    workers = Workers()
    for _ in range(2):
        assert workers.submit(lambda: 5).result() == 5
        workers.close(lambda: None)


def test_a_call_that_fails_tells_its_future() -> None:
    workers = Workers()
    for executor in (workers, Inline()):
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 // 0).result()
    workers.close(lambda: None)


def test_inline_runs_in_the_callers_thread_and_ends_nothing() -> None:
    inline = Inline()
    assert inline.submit(threading.get_ident).result() == threading.get_ident()
    inline.close(lambda: pytest.fail("nobody is there to say farewell"))


AT_THE_END = """
import threading
from audiocache.workers import Workers

workers = Workers()
workers.submit(lambda: None).result()

def ask():
    threading.main_thread().join()
    print(workers.submit(lambda: "made").result())

threading.Thread(target=ask).start()
"""


def test_when_the_interpreter_ends_a_call_runs_in_the_callers_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_END], capture_output=True, check=True, text=True
    )
    assert (done.stdout, done.stderr) == ("made\n", "")


def test_who_finds_no_thread_for_another_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    workers = Workers()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        workers.submit(lambda: None)


def test_in_a_child_the_threads_are_started_anew() -> None:
    workers = Workers()
    workers.submit(lambda: None).result()
    pool = workers._pool
    workers.after_fork()
    assert workers.submit(lambda: 5).result() == 5
    assert workers._pool is not pool
    workers.close(lambda: None)
    assert pool is not None
    pool.shutdown()


def test_who_hangs_in_one_lane_keeps_no_other_from_a_thread() -> None:
    lanes = Lanes("audiocache-test")
    go_on = threading.Event()
    hanging = [lanes.submit(lambda: go_on.wait(10), "slow") for _ in range(MAX_THREADS + 1)]
    assert lanes.submit(lambda: "spoken", "quick").result(5) == "spoken"
    go_on.set()
    assert all(one.result(5) for one in hanging)
    lanes.close(lambda: None)


def test_lanes_are_few_and_who_comes_later_shares_one() -> None:
    lanes = Lanes("audiocache-test")
    for number in range(MOST + 5):
        lanes.submit(lambda: None, f"{number}").result(5)
    assert len(lanes._lanes) == MOST + 1
    lanes.close(lambda: None)
