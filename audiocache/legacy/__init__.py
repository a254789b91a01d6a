"""The earlier cache's SQLite file: recognised, set aside, read, and brought over.

It was one table, `audio_cache`, with naive local times and keys sha256(raw text):

    source (the file) -> rows, the most recently used first -> target (what is not there yet)

`importing` does it once, now. `adoption` does it by itself for a file that lies where the
cache's own file is to be; `State` keeps how far it came.
"""

from __future__ import annotations

from audiocache.legacy.adoption import adopt, set_aside
from audiocache.legacy.importing import ImportReport, import_file
from audiocache.legacy.source import LegacyFileError

__all__ = ["ImportReport", "LegacyFileError", "adopt", "import_file", "set_aside"]
