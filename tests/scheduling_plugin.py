"""The first results come when the first worker is ready; the others join in.

By itself xdist waits for all of them. Where there are more workers than processors, those that are
too many begin when the first one has collected: until then they would be in its way.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling

from tests.servers_plugin import FOLDER

PATIENCE_SECONDS = 10
"""At most: the first may fail."""


class AtOnce(LoadScheduling):
    """Late ones are checked to have collected the same, as xdist does with those it replaces."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self.maxschedchunk = 1  # a file
        self._session: Any = config.pluginmanager.get_plugin("session")
        self._begun = self._done = 0

    @property
    def collection_is_completed(self) -> bool:
        return bool(self.node2collection)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        super().mark_test_complete(node, item_index, duration)
        self._done += 1
        self._estimate()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._begun += report.when == "setup"
        self._estimate()

    def _estimate(self) -> None:
        """What was collected are files; how many tests they hold is known when all are done."""
        of = len(self.collection or ())
        self._session.testscollected = self._begun * of // max(self._done, 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> AtOnce | None:
    if config.getvalue("dist") != "load":
        return None
    scheduler = AtOnce(config, log)
    config.pluginmanager.register(scheduler)
    return scheduler


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished() -> None:
    _collected().touch()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Any:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    until = time.monotonic() + PATIENCE_SECONDS
    while number >= (os.cpu_count() or 1) and time.monotonic() < until:
        if _collected().exists():
            break
        time.sleep(0.05)
    return (yield)


def _collected() -> Path:
    return Path(os.environ[FOLDER], "collected")
