"""Where the tracer of coverage looks away: it makes all that runs twice as slow.

It is paused while the tests are collected, and in those that are marked `untraced`: heavy ones,
whose lines are others', too.
"""

import importlib
import pkgutil
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import coverage
import pytest

MEASURED = ("audiocache", "tts", "project")
# A test runs these as a server does: as the first to import them.
ENTRANCES = ("project.wsgi", "project.asgi")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    with _without_coverage():
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


@contextmanager
def _without_coverage() -> Iterator[None]:
    """Collecting under a tracer takes half as long again, and measures no more than imports.

    Those of the measured packages are done before it pauses.
    """
    measuring = coverage.Coverage.current()
    if measuring is None:
        yield
        return
    for package in map(importlib.import_module, MEASURED):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in ENTRANCES:
                importlib.import_module(module.name)
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()
