"""The first results come when the first worker has collected; the others join in.

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

    @property
    def collection_is_completed(self) -> bool:
        return bool(self.node2collection)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> AtOnce | None:
    return AtOnce(config, log) if config.getvalue("dist") == "load" else None


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
