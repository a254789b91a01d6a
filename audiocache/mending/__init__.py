"""What `manage.py audiocache mend` can mend, by the names that the doctor's findings have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from audiocache.mending import contents, coordination, structure

MENDS: Final[dict[str, Callable[[], int]]] = {
    "totals": contents.totals,
    "tags": contents.tags,
    "checksums": contents.checksums,
    "soundless": contents.soundless,
    "texts": contents.texts,
    "integrity": structure.integrity,
    "tables": structure.tables,
    "indexes": structure.indexes,
    "triggers": structure.triggers,
    "journal": structure.journal,
    "wal": structure.wal,
    "leases": coordination.leases,
    "removals": coordination.removals,
}
"""Each says how many things it changed; each may be run again, and beside other processes."""
