"""The triggers that keep the totals and delete the tags of entries deleted or replaced.

SQLite makes a table anew to alter it and loses its triggers then: a later migration that
alters `audiocache_entry` runs `create_triggers` again.
"""

from __future__ import annotations

from typing import Any

SQLITE = (
    """
    CREATE TRIGGER audiocache_entry_added AFTER INSERT ON audiocache_entry BEGIN
        INSERT INTO audiocache_total (slot, entries, bytes) VALUES (0, 1, NEW.size)
        ON CONFLICT (slot) DO UPDATE SET entries = entries + 1, bytes = bytes + excluded.bytes;
    END
    """,
    """
    CREATE TRIGGER audiocache_entry_changed AFTER UPDATE OF size ON audiocache_entry
    WHEN NEW.size <> OLD.size BEGIN
        UPDATE audiocache_total SET bytes = bytes + NEW.size - OLD.size WHERE slot = 0;
    END
    """,
    """
    CREATE TRIGGER audiocache_entry_retagged AFTER UPDATE OF tags ON audiocache_entry
    WHEN NEW.tags <> OLD.tags BEGIN
        DELETE FROM audiocache_tag WHERE key = OLD.key;
    END
    """,
    """
    CREATE TRIGGER audiocache_entry_removed AFTER DELETE ON audiocache_entry BEGIN
        UPDATE audiocache_total SET entries = entries - 1, bytes = bytes - OLD.size
        WHERE slot = 0;
        DELETE FROM audiocache_tag WHERE key = OLD.key;
    END
    """,
)

SQLITE_BACK = (
    "DROP TRIGGER audiocache_entry_added",
    "DROP TRIGGER audiocache_entry_changed",
    "DROP TRIGGER audiocache_entry_retagged",
    "DROP TRIGGER audiocache_entry_removed",
)

# A slot by backend: one row for all would make writers wait for each other. A slot may go
# below zero when another backend deletes what this one added; only the sum has a meaning.
POSTGRESQL = (
    """
    CREATE FUNCTION audiocache_count_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        more_entries bigint := 0;
        more_bytes bigint := 0;
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            more_entries := 1;
            more_bytes := NEW.size;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            more_entries := more_entries - 1;
            more_bytes := more_bytes - OLD.size;
        END IF;
        IF more_entries <> 0 OR more_bytes <> 0 THEN
            INSERT INTO audiocache_total AS total (slot, entries, bytes)
            VALUES (pg_backend_pid() % 16, more_entries, more_bytes)
            ON CONFLICT (slot) DO UPDATE SET
                entries = total.entries + excluded.entries, bytes = total.bytes + excluded.bytes;
        END IF;
        IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.tags <> OLD.tags THEN
            DELETE FROM audiocache_tag WHERE key = OLD.key;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER audiocache_entry_counted
    AFTER INSERT OR DELETE OR UPDATE OF size, tags ON audiocache_entry
    FOR EACH ROW EXECUTE FUNCTION audiocache_count_entry()
    """,
    "ALTER TABLE audiocache_entry ALTER COLUMN audio SET STORAGE EXTERNAL",
)

POSTGRESQL_BACK = (
    "DROP TRIGGER audiocache_entry_counted ON audiocache_entry",
    "DROP FUNCTION audiocache_count_entry()",
)

# A replacement is written into the removal log in the same transaction, whoever makes it. Not
# one of what had expired: others hold it no longer than the row did.
SQLITE_ANNOUNCE = (
    """
    CREATE TRIGGER audiocache_entry_replaced AFTER UPDATE OF revision ON audiocache_entry
    WHEN NEW.revision <> OLD.revision AND OLD.expires > NEW.created BEGIN
        INSERT INTO audiocache_removal (id, at, kind, value)
        SELECT COALESCE(MAX(id), 0) + 1, NEW.created, 'replaced', NEW.key || ':' || NEW.created
        FROM audiocache_removal;
    END
    """,
)

SQLITE_SILENCE = ("DROP TRIGGER audiocache_entry_replaced",)

# The lock is that of `audiocache.tiers.sql.postgresql`: numbers appear in their order.
POSTGRESQL_ANNOUNCE = (
    """
    CREATE FUNCTION audiocache_announce_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(7022629597958270326);
        INSERT INTO audiocache_removal (id, at, kind, value)
        SELECT COALESCE(MAX(id), 0) + 1, NEW.created, 'replaced', NEW.key || ':' || NEW.created
        FROM audiocache_removal;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER audiocache_entry_replaced AFTER UPDATE OF revision ON audiocache_entry
    FOR EACH ROW WHEN (NEW.revision <> OLD.revision AND OLD.expires > NEW.created)
    EXECUTE FUNCTION audiocache_announce_entry()
    """,
)

POSTGRESQL_SILENCE = (
    "DROP TRIGGER audiocache_entry_replaced ON audiocache_entry",
    "DROP FUNCTION audiocache_announce_entry()",
)


def create_announcements(_apps: Any, schema_editor: Any) -> None:
    """Of replacements."""
    _run(schema_editor, {"sqlite": SQLITE_ANNOUNCE, "postgresql": POSTGRESQL_ANNOUNCE})


def drop_announcements(_apps: Any, schema_editor: Any) -> None:
    """Undo `create_announcements`."""
    _run(schema_editor, {"sqlite": SQLITE_SILENCE, "postgresql": POSTGRESQL_SILENCE})


def create_triggers(_apps: Any, schema_editor: Any) -> None:
    """On SQLite and PostgreSQL; elsewhere the tables lie unused."""
    _run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def drop_triggers(_apps: Any, schema_editor: Any) -> None:
    """Undo `create_triggers`."""
    _run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK})


def _run(schema_editor: Any, statements: dict[str, tuple[str, ...]]) -> None:
    for statement in statements.get(schema_editor.connection.vendor, ()):
        schema_editor.execute(statement, params=None)  # () would make % a placeholder
