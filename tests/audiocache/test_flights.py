"""One making for all who ask: results and errors are shared, and the table does not grow."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from audiocache.flight import FlightAbandoned, Later
from audiocache.flights import Flights
from audiocache.workers import Workers

InThreads = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def flights() -> Flights[str]:
    return Flights()


class Job:
    """A making that begins, and ends when it is told to."""

    def __init__(self, end: Callable[[], str] = lambda: "made") -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.calls = 0
        self._end = end

    def __call__(self) -> str:
        self.calls += 1
        self.begun.set()
        assert self.go.wait(10)
        return self._end()


def soon(call: Callable[[], Any]) -> Future[Any]:
    """The outcome of a call in a thread of its own."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def never() -> str:
    raise AssertionError("called twice")


def test_alone_a_caller_makes_it_and_shares_nothing(flights: Flights[str]) -> None:
    assert flights.run("a", lambda: "made") == ("made", False)
    assert flights.run("a", lambda: "again") == ("again", False)
    assert len(flights) == 0


def test_all_who_ask_meanwhile_share_the_result(flights: Flights[str]) -> None:
    job = Job()
    first = soon(lambda: flights.run("a", job))
    assert job.begun.wait(10)
    others = [soon(lambda: flights.run("a", never)) for _ in range(20)]
    assert flights.run("b", lambda: "other") == ("other", False)
    assert len(flights) == 1
    job.go.set()
    assert first.result(10) == ("made", False)
    assert {other.result(10) for other in others} <= {("made", True)}
    assert (job.calls, len(flights)) == (1, 0)


def test_all_who_ask_meanwhile_share_the_error(flights: Flights[str]) -> None:
    error = ValueError("quota")

    def fail() -> str:
        raise error

    job = Job(fail)
    asked = [soon(lambda: flights.run("a", job))]
    assert job.begun.wait(10)
    asked += [soon(lambda: flights.run("a", never)) for _ in range(5)]
    waiting = flights.start("a", never, never)  # type: ignore[arg-type]
    job.go.set()
    assert [one.exception(10) for one in asked] == [error] * 6
    assert waiting[0].exception(10) is error
    assert flights.run("a", lambda: "made") == ("made", False)


def test_when_the_leader_is_stopped_another_takes_over(flights: Flights[str]) -> None:
    def stop() -> str:
        raise KeyboardInterrupt

    job = Job(stop)
    leader = soon(lambda: flights.run("a", job))
    assert job.begun.wait(10)
    follower = soon(lambda: flights.run("a", lambda: "made by another"))
    job.go.set()
    assert type(leader.exception(10)) is KeyboardInterrupt
    assert follower.result(10)[0] == "made by another"
    assert len(flights) == 0


def test_a_call_that_asks_for_what_it_is_making_is_told_so(flights: Flights[str]) -> None:
    with pytest.raises(RuntimeError, match="asked for the very clip that it is making"):
        flights.run("a", lambda: flights.run("a", never)[0])
    assert flights.run("a", lambda: "made") == ("made", False)


def test_a_call_may_ask_for_something_else(flights: Flights[str]) -> None:
    assert flights.run("a", lambda: flights.run("b", lambda: "b")[0] + "a") == ("ba", False)


def test_two_callers_of_one_thread_join_a_call_that_has_not_begun(flights: Flights[str]) -> None:
    """As tasks of one loop do while all threads of ours are busy."""
    queue: list[Callable[[], None]] = []
    first, joined = flights.start("a", lambda: "made", queue.append)
    assert not joined
    second, joined = flights.start("a", never, queue.append)
    assert joined
    queue.pop()()
    assert first.result(0) == second.result(0) == "made"
    assert not queue


def test_a_waiter_that_is_cancelled_cancels_nobody(flights: Flights[str]) -> None:
    queue: list[Callable[[], None]] = []
    future, _ = flights.start("a", lambda: "made", queue.append)
    assert not future.cancel()
    queue.pop()()
    assert future.result(0) == "made"


def test_without_a_thread_to_be_had_nobody_waits_for_ever(flights: Flights[str]) -> None:
    joined: list[Future[str]] = []

    def refuse(job: Callable[[], None]) -> None:
        joined.append(flights.start("a", never, refuse)[0])
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="can't start new thread"):
        flights.start("a", never, refuse)
    with pytest.raises(FlightAbandoned):
        joined[0].result(0)
    assert len(flights) == 0


def test_without_a_thread_for_going_on_those_who_wait_are_told_and_nobody_else(
    flights: Flights[str], caplog: pytest.LogCaptureFixture
) -> None:
    later: Future[None] = Future()
    threads = ["one"]

    def once(job: Callable[[], None]) -> None:
        if not threads:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        threads.pop()
        job()

    future, _ = flights.start("a", lambda: Later(later), once)
    later.set_result(None)
    with pytest.raises(FlightAbandoned):
        future.result(0)
    assert len(flights) == 0
    assert caplog.text == ""


def test_a_thread_of_ours_makes_it_while_the_caller_goes_on(flights: Flights[str]) -> None:
    job = Job()
    with ThreadPoolExecutor(1) as pool:
        future, joined = flights.start("a", job, pool.submit)
        assert not joined
        assert not future.done()
        job.go.set()
        assert future.result(10) == "made"


def test_fifty_threads_make_one_call(flights: Flights[str], in_threads: InThreads) -> None:
    job, came = Job(), count(1)

    def ask(_: int) -> tuple[str, bool]:
        if next(came) == 50:  # on a busy machine threads come late
            threading.Timer(0.3, job.go.set).start()
        return flights.run("a", job)

    outcomes = in_threads(50, ask)
    assert job.calls == 1
    assert sorted(outcomes) == [("made", False), *[("made", True)] * 49]


def test_the_context_of_what_ran_before_is_left_behind(flights: Flights[str]) -> None:
    context = contextvars.copy_context()
    context.run(flights.run, "a", lambda: "made")
    assert context.run(flights.run, "a", lambda: "again") == ("again", False)


def test_in_a_child_no_flight_is_under_way(flights: Flights[str]) -> None:
    queue: list[Callable[[], None]] = []
    flights.start("a", lambda: "made", queue.append)
    flights.after_fork()
    assert len(flights) == 0
    assert flights.run("a", lambda: "the child's") == ("the child's", False)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_call_may_have_to_wait_and_is_made_again(flights: Flights[str], blocking: bool) -> None:
    """In the caller's thread, or on threads of ours, which are free meanwhile."""
    event: Future[None] = Future()
    answers: list[str | Later] = ["made", Later(event)]
    with ThreadPoolExecutor(1) as pool:
        if blocking:
            asked = soon(lambda: flights.run("a", answers.pop)[0])
        else:
            asked = flights.start("a", answers.pop, pool.submit)[0]
        wait_until(lambda: len(answers) == 1)
        other = soon(lambda: flights.run("a", never)[0])
        assert pool.submit(lambda: "free").result(5) == "free"
        time.sleep(0.01)
        assert not asked.done()
        event.set_result(None)
        assert asked.result(5) == other.result(5) == "made"
        assert len(flights) == 0


def test_a_call_that_is_made_again_knows_the_context_of_its_caller(flights: Flights[str]) -> None:
    event: Future[None] = Future()
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    answers: list[str | Later] = ["", Later(event)]
    workers = Workers()
    name.set("caller")
    future, _ = flights.start("a", lambda: answers.pop() or name.get(), workers.submit)
    wait_until(lambda: len(answers) == 1)
    soon(lambda: event.set_result(None)).result(5)
    assert future.result(5) == "caller"
    workers.close(lambda: None)


def test_without_a_thread_to_go_on_nobody_waits_for_ever(flights: Flights[str]) -> None:
    event: Future[None] = Future()
    jobs: list[Callable[[], None]] = []

    def once(job: Callable[[], None]) -> None:
        if jobs:
            raise RuntimeError("no more threads")
        jobs.append(job)

    future, _ = flights.start("a", lambda: Later(event), once)
    jobs[0]()
    event.set_result(None)
    with pytest.raises(FlightAbandoned):
        future.result(5)
    assert len(flights) == 0


def test_two_calls_that_would_wait_for_each_other_are_told_so(flights: Flights[str]) -> None:
    together = threading.Barrier(2)

    def making(other: str) -> Callable[[], str]:
        def call() -> str:
            together.wait(5)
            return flights.run(other, never)[0]

        return call

    one = soon(lambda: flights.run("a", making("b")))
    two = soon(lambda: flights.run("b", making("a")))
    errors = [one.exception(5), two.exception(5)]
    assert [str(error) for error in errors] == [
        "create() asked for the very clip that it is making"
    ] * 2  # the one is told, and the other shares the error
    assert len(flights) == 0
