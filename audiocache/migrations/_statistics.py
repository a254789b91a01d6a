"""What PostgreSQL samples for its planner: none of what a clip says.

ANALYZE copies values of columns into the server's catalogue, where a removal does not reach them
and only a superuser could rewrite them. No plan of ours needs those of these columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SAID: Final = {
    "audiocache_entry": ("text", "tags", "audio", "timings"),
    "audiocache_tag": ("tag",),
    "audiocache_refused": ("text", "audio", "timings"),
}
"""Columns that hold texts, tags, words and sounds."""
LATER: Final = {"audiocache_refused": ("tags",)}
"""Of those, what was added after `SAID` was first left out."""
NONE: Final = 0
DEFAULT: Final = -1


def leave_out(_apps: Any, schema_editor: Any) -> None:
    """From now on, and before there is a first row."""
    _set(schema_editor, NONE)


def leave_out_later(_apps: Any, schema_editor: Any) -> None:
    """The same for what was added."""
    _set(schema_editor, NONE, LATER)


def take_again(_apps: Any, schema_editor: Any) -> None:
    """As for any other column."""
    _set(schema_editor, DEFAULT)


def _set(schema_editor: Any, target: int, said: Mapping[str, Sequence[str]] = SAID) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, columns in said.items():
        changes = ", ".join(f"ALTER {column} SET STATISTICS {target}" for column in columns)
        schema_editor.execute(f"ALTER TABLE {table} {changes}")
