"""The tables as people see them: on the cache's own alias, without a sound where none is asked."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connections

from audiocache.models import (
    AudioCacheEntry,
    Count,
    EntryQuerySet,
    Lease,
    Removal,
    State,
    Tag,
    Total,
)
from tests.audiocache.conftest import ON_SQLITE
from tests.factories import row

pytestmark = ON_SQLITE


def test_every_row_tells_what_it_is_and_no_text() -> None:
    key = "ab" * 32
    told = [
        AudioCacheEntry(key=key, text="secret"), Tag(tag="t", key=key), Total(entries=1, bytes=2),
        Removal(kind="key", value=key), Lease(name="work"), Count(name="hits", value=3),
        State(name="import", value="done"),
    ]  # fmt: skip
    assert [str(one) for one in told] == [
        "abababababab",
        "t abababababab",
        "1 entries, 2 bytes",
        "key abababababab",
        "work",
        "hits=3",
        "import=done",
    ]


def test_rows_are_written_and_read_on_the_caches_own_alias() -> None:
    stored = row("Hello")
    assert stored._state.db == "audiocache"
    assert AudioCacheEntry.objects.all().db == "audiocache"
    stored.pinned = True
    stored.save()
    assert AudioCacheEntry.objects.get().pinned
    assert stored.delete()[0] == 1
    assert not AudioCacheEntry.objects.exists()


def test_another_alias_may_be_named() -> None:
    assert AudioCacheEntry.objects.using("audiocache_pg").db == "audiocache_pg"


def test_a_list_reads_no_sound() -> None:
    row("Hello", timings="[]")
    connection = connections["audiocache"]
    connection.force_debug_cursor = True
    try:
        [found] = EntryQuerySet(AudioCacheEntry, using="audiocache").without_audio()
        query = connection.queries[-1]["sql"]
    finally:
        connection.force_debug_cursor = False
    assert found.text == "Hello"
    assert '"audio"' not in query
    assert '"timings"' not in query


def test_totals_follow_the_rows() -> None:
    first = row("Hello")
    row("Bye")
    first.delete()
    [total] = Total.objects.all()
    assert (total.entries, total.bytes) == (1, AudioCacheEntry.objects.get().size)


def test_a_key_is_there_once() -> None:
    row("Hello")
    with pytest.raises(IntegrityError):
        row("Hello")
