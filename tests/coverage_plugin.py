"""Where the tracer of coverage looks away: it makes all that runs twice as slow.

It is paused in the tests that are marked `untraced`: heavy ones, whose lines are others', too; and
ends where xdist's workers do the work, which are measured each by itself.
"""

import os
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import coverage
import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    measuring = coverage.Coverage.current()
    # The workers are given the same words.
    distributes = "PYTEST_XDIST_WORKER" not in os.environ and getattr(
        early_config.known_args_namespace, "numprocesses", None
    )
    if measuring and distributes:
        measuring.stop()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("untraced") is None:
        return (yield)
    with untraced():
        return (yield)


@contextmanager
def untraced() -> Iterator[None]:
    """Neither this thread nor those that it starts."""
    here, beyond = sys.gettrace(), threading.gettrace()
    trace_here_and_beyond(None, None)
    try:
        yield
    finally:
        trace_here_and_beyond(here, beyond)


def trace_here_and_beyond(here: object, beyond: object) -> None:
    sys.settrace(here)  # type: ignore[arg-type]  # what gettrace gave
    threading.settrace(beyond)  # type: ignore[arg-type]  # or none
