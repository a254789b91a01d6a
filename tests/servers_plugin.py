"""Starts a real Redis and a real PostgreSQL for the run, before Django reads its settings.

With xdist the controller starts them; the workers inherit the addresses. PostgreSQL needs a second
to make its cluster, and makes it while the tests are collected.

With TEST_POSTGRES_PROXY=1 the tests that use PostgreSQL, and no others, run through a pooler that
changes the server connection after every transaction.
"""

import os
import tempfile
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

REDIS_URL = "TEST_REDIS_URL"
POSTGRES_URL = "TEST_POSTGRES_URL"
POSTGRES_LOG = "TEST_POSTGRES_LOG"
POSTGRES_PROXY = "TEST_POSTGRES_PROXY"
FOLDER = "TEST_FOLDER"
HEADER = pytest.StashKey[list[str]]()
STARTING = pytest.StashKey[Future[Any]]()
# A developer's own servers and paid keys stay out of the tests.
FOREIGN = ("CACHE_", "TTS_", "ELEVENLABS_", "ELEVEN_LABS_", "OPENAI_", "CELERY_", "DATABASE_URL")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, so that it runs before pytest-django's own hook."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Processes that tests start are not measured: a tracer would make them half as quick.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    else:
        _forget_foreign_settings()
        _start(early_config)
    return (yield)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash.get(HEADER, [])


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What needs no database first: making one takes a second, and results are there at once."""
    items.sort(key=lambda item: item.get_closest_marker("django_db") is not None)
    if os.environ.get(POSTGRES_PROXY):
        chosen = [item for item in items if _uses_postgres(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def _uses_postgres(item: pytest.Item) -> bool:
    marks = item.iter_markers("django_db")
    return any("audiocache_pg" in mark.kwargs.get("databases", ()) for mark in marks)


def pytest_collection_finish(session: pytest.Session) -> None:
    _wait(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: object) -> None:
    """The controller's own collection; `node.config` is its configuration."""
    _wait(node.config)  # type: ignore[attr-defined]


def _forget_foreign_settings() -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]


def _start(config: pytest.Config) -> None:
    # The package sets the demo site's settings unless others are named.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    from project.servers import new_postgres, start_redis

    stack = ExitStack()
    config.add_cleanup(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="audiocache-tests-"))
    redis = stack.enter_context(start_redis())
    postgres = stack.enter_context(new_postgres())
    # The kernel ends a server with the thread that started it: this one stays until the end.
    thread = stack.enter_context(ThreadPoolExecutor(1))
    config.stash[STARTING] = thread.submit(postgres.start)
    config.stash[HEADER] = [f"server: {redis}", f"server: {postgres}"]
    url = postgres.url
    if os.environ.get(POSTGRES_PROXY):
        from tests.proxies.transaction_pooler import TransactionPooler

        url = stack.enter_context(TransactionPooler(url)).url
        config.stash[HEADER].append("server: PostgreSQL behind a transaction pooler")
    os.environ.update({REDIS_URL: redis.url, POSTGRES_URL: url, FOLDER: folder})
    os.environ[POSTGRES_LOG] = str(postgres.log)


def _wait(config: pytest.Config) -> None:
    """Until PostgreSQL answers; its failure is the run's."""
    if starting := config.stash.get(STARTING, None):
        starting.result()
