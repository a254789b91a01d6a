"""Starts a real Redis and a real PostgreSQL for the run, before Django reads its settings.

With xdist the controller starts them; the workers inherit the addresses.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import ExitStack

import pytest

REDIS_URL = "TEST_REDIS_URL"
POSTGRES_URL = "TEST_POSTGRES_URL"
FOLDER = "TEST_FOLDER"
HEADER = pytest.StashKey[list[str]]()
# A developer's own servers and paid keys stay out of the tests.
FOREIGN = ("CACHE_", "TTS_", "ELEVENLABS_", "ELEVEN_LABS_", "OPENAI_", "CELERY_", "DATABASE_URL")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """A wrapper, so that it runs before pytest-django's own hook."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _forget_foreign_settings()
        _start(early_config)
    return (yield)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash.get(HEADER, [])


def _forget_foreign_settings() -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]


def _start(config: pytest.Config) -> None:
    # The package sets the demo site's settings unless others are named.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    from project.servers import start_postgres, start_redis

    stack = ExitStack()
    config.add_cleanup(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="audiocache-tests-"))
    redis = stack.enter_context(start_redis())
    postgres = stack.enter_context(start_postgres())
    os.environ.update({REDIS_URL: redis.url, POSTGRES_URL: postgres.url, FOLDER: folder})
    config.stash[HEADER] = [f"server: {redis}", f"server: {postgres}"]
