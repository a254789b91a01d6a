"""What is stored: totals, tags, checksums, entries past their time, texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from audiocache.clock import DAY_MS
from audiocache.doctor.case import Case
from audiocache.doctor.findings import Finding, mend
from audiocache.doctor.sampling import looked_at
from audiocache.rows import SCHEMA_VERSION, checksum
from audiocache.tiers.clip_files import FileTrouble

LEFT_OVER: Final = 20
"""Entries a day past their time that are nobody's fault: a put takes as many away."""

TOTALS: Final = """
    SELECT (SELECT COALESCE(SUM(entries), 0) FROM audiocache_total),
        (SELECT COALESCE(SUM(bytes), 0) FROM audiocache_total), COUNT(*), COALESCE(SUM(size), 0)
    FROM audiocache_entry
"""
"""One statement: writers come before it or after it."""
ORPHANS: Final = """
    SELECT id FROM audiocache_tag
    WHERE NOT EXISTS (SELECT 1 FROM audiocache_entry WHERE key = audiocache_tag.key)
"""
_SOUNDS: Final = f"""
    SELECT id, key, provider, content_type, checksum, audio, storage_name, CAST(size AS BIGINT)
    FROM audiocache_entry
    WHERE id > ? AND (audio IS NOT NULL OR storage_name <> '')
        AND schema_version <= {SCHEMA_VERSION} ORDER BY id LIMIT ?
"""  # noqa: S608 - SCHEMA_VERSION is a whole number of ours
# Without a WHERE for it: a sample would look for one through the whole table.
_SOUNDLESS: Final = f"""
    SELECT id, audio IS NULL AND storage_name = '' AND schema_version <= {SCHEMA_VERSION}
    FROM audiocache_entry WHERE id > ? ORDER BY id LIMIT ?
"""  # noqa: S608 - as above


class Sound(NamedTuple):
    """Of an entry that this release knows."""

    id: int
    key: str
    provider: str
    content_type: str
    checksum: int
    audio: Any
    """Bytes, or what the driver gives for them; None: they lie in a file."""
    storage_name: str
    size: int


def totals(case: Case) -> Iterator[Finding]:
    """Deep: the maintained totals against the sums; else only whether they can be true."""
    if not case.deep:
        entries, size = case.sight.row(
            "SELECT COALESCE(SUM(entries), 0), COALESCE(SUM(bytes), 0) FROM audiocache_total"
        )
        if entries < 0 or size < 0:
            yield _totals(entries, size, "and less than nothing cannot be stored")
        return
    entries, size, number, sizes = case.sight.row(TOTALS)
    if (entries, size) != (number, sizes):
        yield _totals(entries, size, f"and there are {number:,} of {sizes:,}")


def _totals(entries: int, size: int, but: str) -> Finding:
    return Finding(
        "totals",
        f"The totals say {entries:,} entries of {size:,} bytes, {but}.",
        "Limits are kept by the totals: too much is stored, or too much evicted.",
        mend("totals"),
    )


def tags(case: Case) -> Iterator[Finding]:
    """Deep: tags of entries that are gone."""
    if case.deep and (
        number := case.sight.value(f"SELECT COUNT(*) FROM ({ORPHANS}) AS orphans")  # noqa: S608 - a constant
    ):
        yield Finding(
            "tags",
            f"{number:,} tags belong to no entry.",
            "A tag may be a person's name, and outlives what it was given to.",
            mend("tags"),
        )


def checksums(case: Case) -> Iterator[Finding]:
    """Of a sample; deep: of all."""
    looked = damaged = 0
    for sound in sounds(case):
        if (audio := audio_of(case, sound)) is not None:
            looked += 1
            damaged += checksum(audio) != sound.checksum
    if damaged:
        yield Finding(
            "checksums",
            f"The sound of {damaged:,} of {looked:,} entries looked at is damaged.",
            "Each is paid for again when it is asked for; the disk or memory may be failing.",
            mend("checksums"),
        )


def soundless(case: Case) -> Iterator[Finding]:
    """Of a sample; deep: of all."""
    looked = [is_so for _, is_so in looked_at(case, _SOUNDLESS)]
    if number := sum(looked):
        yield Finding(
            "soundless",
            f"{number:,} of {len(looked):,} entries looked at have no sound, nor a file for it.",
            "Each is paid for again when it is asked for; who writes to the table?",
            mend("soundless"),
        )


def audio_of(case: Case, sound: Sound) -> bytes | None:
    """Its bytes; None: its file is not to be had, which `files` finds."""
    if sound.audio is not None:
        return bytes(sound.audio)
    with suppress(FileTrouble):
        return case.files.sound(sound.storage_name, sound.size)
    return None


def sounds(case: Case) -> Iterator[Sound]:
    """Of all entries in batches, or of a sample."""
    yield from map(Sound._make, looked_at(case, _SOUNDS))


def expired(case: Case) -> Iterator[Finding]:
    """Entries long past their time."""
    found = case.sight.rows(
        "SELECT 1 FROM audiocache_entry WHERE keep_until <= ? LIMIT ?",
        [case.now - DAY_MS, LEFT_OVER + 1],
    )
    if len(found) > LEFT_OVER:
        yield Finding(
            "expired",
            "Entries are kept that ended a day ago and more.",
            "They take the room of others, and a text outlives the life that it was given.",
            "manage.py audiocache cleanup (each hour, by Celery beat or cron)",
        )


def texts(case: Case) -> Iterator[Finding]:
    """Deep: texts that were stored before CACHE_STORE_TEXT was switched off."""
    if case.config.store_text or not case.deep:
        return
    tables = ("audiocache_entry", "audiocache_refused")
    sql = "SELECT COUNT(*) FROM {} WHERE text IS NOT NULL"
    if number := sum(case.sight.value(sql.format(table)) for table in tables):
        yield Finding(
            "texts",
            f"CACHE_STORE_TEXT is false, and {number:,} entries and refused answers have a text.",
            "They were stored before it was switched off.",
            mend("texts"),
        )
