"""The statements of the removal log and of what is known of other logs."""

from __future__ import annotations

from audiocache.removals.log import KEPT
from audiocache.tiers.sql.base import Dialect


class LogStatements:
    """SQL as text."""

    def __init__(self, sql: Dialect) -> None:
        mark = sql.mark
        self.append = (
            "INSERT INTO audiocache_removal (id, at, kind, value)"
            f" SELECT COALESCE(MAX(id), 0) + 1, {mark}, {mark}, {mark} FROM audiocache_removal"
            " RETURNING id"
        )
        self.trim = (
            "DELETE FROM audiocache_removal WHERE id IN (SELECT id FROM audiocache_removal"
            f" WHERE id <= (SELECT MAX(id) - {KEPT} FROM audiocache_removal)"
            f" ORDER BY id LIMIT {mark}{sql.lock_free_rows}) RETURNING id"
        )
        """Delete what is too old to be kept; parameter: how many rows."""
        self.read = (
            "SELECT id, at, kind, value FROM audiocache_removal"
            f" WHERE id >= {mark} ORDER BY id LIMIT {mark}"
        )
        self.last = "SELECT id, at FROM audiocache_removal ORDER BY id DESC LIMIT 1"
        self.states = f"SELECT name, value FROM audiocache_state WHERE name LIKE {mark}"
        self.set_state = (
            f"INSERT INTO audiocache_state (name, value) VALUES ({mark}, {mark})"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        self.move_state = f"{self.set_state} WHERE audiocache_state.value = {mark} RETURNING name"
        self.new_state = (
            f"INSERT INTO audiocache_state (name, value) VALUES ({mark}, {mark})"
            " ON CONFLICT (name) DO NOTHING"
        )
        self.tags = (
            f"SELECT DISTINCT tag FROM audiocache_tag WHERE tag > {mark} ORDER BY tag LIMIT {mark}"
        )
        self.namespaces = (
            f"SELECT DISTINCT namespace FROM audiocache_entry WHERE text_digest = {mark}"
        )
