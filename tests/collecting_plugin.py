"""A worker of xdist imports and collects a file of tests when its turn has come.

By itself each worker collects all files before the first test: seconds, and as often the same work
as there are workers. Here they look for the files alone. To xdist a file is one item, so that
its tests stay together, too, and share what was made for the file.

Where single tests are named, everything is as pytest does it.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
NEEDS = re.compile(r"django_db|ON_(?:SQLITE|POSTGRESQL)|DATABASES|_tier\b|_cache\b|Client\(")
"""What a file says whose tests need a database, which takes two seconds to make."""

ALLOCATIONS = 2_000
"""From one look of the garbage collector to the next: at Python's 700, a fourteenth of all time."""


class FileOfTests(pytest.Item):
    """Stands for all tests of a file among those that xdist hands out."""

    def run_all(self, following: pytest.Item | None) -> None:
        """`following` runs next in this worker: what it shares with this file stays."""
        place, tests = self.session.items.index(self), self._collected()
        if not tests:  # what the one before left for this file is not for the next
            self.session._setupstate.teardown_exact(following)
        self.session.items.append(self)  # its mark asks for all databases, also alone
        for test, then in pairwise([*tests, following]):
            assert test is not None
            self.session.items[place] = test  # xdist: a report is that of the item it asked for
            test.ihook.pytest_runtest_protocol(item=test, nextitem=then)
            if self.session.shouldfail or self.session.shouldstop:
                break
        self.session.items.pop()
        self.session.items[place] = self

    def _collected(self) -> list[pytest.Item]:
        """Those that `-k` and `-m` leave, in the order in which they run."""
        module = pytest.Module.from_parent(self.parent, path=self.path)
        tests = list(self.session.genitems(module))
        self.ihook.pytest_collection_modifyitems(
            session=self.session, config=self.config, items=tests
        )
        return tests

    def runtest(self) -> NoReturn:
        raise NotImplementedError("its tests are run one by one")


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """What is collected at the start stays, so the garbage collector need not look at it then, nor
    afterwards. Not so between tests: what these leave, such as a connection to a file that others
    want for themselves, would stay with it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(ALLOCATIONS)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    with _nothing_thrown_away():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> FileOfTests | None:
    if not IS_WORKER or any("::" in argument for argument in parent.config.args):
        return None
    file = FileOfTests.from_parent(parent, name=module_path.name, path=module_path)
    file.add_marker(pytest.mark.django_db(databases="__all__"))  # those that its tests may need
    return file


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """No choice is made among files: what they hold is not known yet."""
    files = [item for item in items if isinstance(item, FileOfTests)]
    items[:] = [item for item in items if item not in files]
    result = yield
    # The first results are there at once, where the first files need nothing else.
    items[:0] = sorted(files, key=lambda file: bool(NEEDS.search(file.path.read_text())))
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    if not isinstance(item, FileOfTests):
        return None
    item.run_all(nextitem)
    return True
