"""Metrics for Prometheus, with the extra `metrics`: the names are those of docs/metrics.md.

Nothing of prometheus_client is imported before the process uses the cache: `families` registers
in the default registry, once, what `publishing` brings up to date.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, Final

MISSING_EXTRA: Final = "Metrics need: pip install 'django-audiocache[metrics]'"

MULTIPROC_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"


def installed() -> bool:
    """Is prometheus_client there?"""
    return find_spec("prometheus_client") is not None


def is_multiprocess() -> bool:
    """Do the processes of this host write into files that a scrape adds up?"""
    return MULTIPROC_DIR in os.environ


def begin(**_: Any) -> None:
    """A receiver of `cache_built`: from now on there are metrics of the process's cache."""
    if installed():
        from audiocache.metrics.publishing import publisher

        publisher.begin()
