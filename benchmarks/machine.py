"""On what it was measured: no names of hosts or folders."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores and releases in one line."""
    parts = [
        _processor(),
        f"{os.cpu_count()} cores",
        f"{platform.system()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"Django {version('django')}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    return ", ".join(parts)


def busy() -> float:
    """How many others wanted a core in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
