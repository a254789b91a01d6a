"""What a filter of the admin's list costs, and where it looks (law 8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connections
from django.test import RequestFactory

from audiocache.admin import looking, paging
from audiocache.entries import NEVER
from audiocache.models import AudioCacheEntry
from tests.factories import row
from tests.people import superuser

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "audiocache"])

LIST = "/admin/audiocache/audiocacheentry/"
FEW = 60
"""More than a page."""
QUERIES = (
    *(f"state={value}" for value in ("fresh", "soon", "stale", "expired")),
    *(f"pinned={value}" for value in ("yes", "no")),
    *(f"type={value}" for value in ("audio/wav", "audio/flac", "other")),
    *(f"size={value}" for value in ("small", "medium", "large", "huge")),
    *(f'voice=["tone", "", "nova"]&{other}' for other in ("size=huge", "pinned=no", "state=stale")),
    *(f"voice={value}" for value in ('["tone"]', '["absent"]', '["tone", "", "nova"]')),
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters look at few entries, and pages show as many."""
    for module, name in ((looking, "LOOKED"), (paging, "LOOKED"), (paging, "DEEPEST")):
        monkeypatch.setattr(module, name, FEW)


@pytest.fixture
def shown() -> Callable[[str], list[AudioCacheEntry]]:
    """The first page of a query."""
    entries = admin.site.get_model_admin(AudioCacheEntry)

    def ask(query: str) -> list[AudioCacheEntry]:
        request = RequestFactory().get(f"{LIST}?{query}")
        request.user = User(is_active=True, is_superuser=True)
        return list(entries.get_changelist_instance(request).result_list)

    return ask


@pytest.fixture
def steps() -> Iterator[Callable[[Callable[[], object]], int]]:
    """How many instructions SQLite needs for what a call asks, in hundreds."""
    connection = connections["audiocache"]
    done: list[None] = []

    def count(call: Callable[[], object]) -> int:
        connection.ensure_connection()
        connection.connection.set_progress_handler(lambda: done.append(None), 100)
        done.clear()
        call()
        return len(done)

    yield count
    connection.connection.set_progress_handler(None, 0)


def multiply(times: int) -> None:
    """Each row so many times more, all of them newer."""
    rows = list(AudioCacheEntry.objects.values())
    AudioCacheEntry.objects.bulk_create(
        AudioCacheEntry(**{**old, "id": None, "key": f"{number:08}{old['key'][8:]}"})
        for number in range(times)
        for old in rows
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pinned": True, "expires": 1, "keep_until": NEVER},
        {"expires": 1, "keep_until": 1, "size": 2**20, "content_type": "x/y"},
    ],
    ids=["fresh", "pinned and stale", "expired"],
)
def test_law_8_a_filter_costs_the_same_in_a_table_of_any_size(
    shown: Callable[[str], list[AudioCacheEntry]],
    steps: Callable[[Callable[[], object]], int],
    fields: dict[str, Any],
) -> None:
    for number in range(2 * FEW):
        row(f"phrase {number}", provider="tone", voice="nova", **fields)
    before = {query: steps(lambda q=query: shown(q)) for query in QUERIES}  # type: ignore[misc]
    multiply(10)
    after = {query: steps(lambda q=query: shown(q)) for query in QUERIES}  # type: ignore[misc]
    grown = {query: (before[query], after[query]) for query in QUERIES}
    assert {q: n for q, n in grown.items() if n[1] > 1.3 * n[0] + 10} == {}


def test_a_filter_looks_at_the_newest_and_says_so() -> None:
    old, new = row("old", content_type="audio/flac"), row("new", content_type="audio/flac")
    AudioCacheEntry.objects.filter(pk=old.pk).update(id=-1)
    for number in range(FEW - 1):
        row(f"phrase {number}")
    client = superuser()
    response = client.get(f"{LIST}?type=audio/flac")
    assert [entry.pk for entry in response.context["cl"].result_list] == [new.pk]
    assert f"A filter looks at {FEW} entries" in response.content.decode()
    assert "A filter looks" not in client.get(LIST).content.decode()


def test_what_expires_first_is_found_however_old_it_is(
    shown: Callable[[str], list[AudioCacheEntry]],
) -> None:
    gone = row("old", expires=1, keep_until=1)
    stale = row("older", expires=1, keep_until=NEVER - 1)
    for number in range(2 * FEW):
        row(f"phrase {number}", expires=NEVER, keep_until=NEVER)
    assert [entry.pk for entry in shown("state=expired")] == [gone.pk]
    assert [entry.pk for entry in shown("state=stale")] == [stale.pk]


OTHERS = ("size=small", "pinned=no", "type=audio/wav", "state=fresh", 'voice=["tone"]')


@pytest.mark.parametrize("other", OTHERS)
def test_a_search_finds_through_filters_however_old_it_is(
    shown: Callable[[str], list[AudioCacheEntry]], other: str
) -> None:
    old = row("old", provider="tone", voice="bass", expires=NEVER - 1, keep_until=NEVER)
    for number in range(2 * FEW):
        row(f"phrase {number}", provider="tone", voice="alto", expires=NEVER - 2)
    assert [entry.pk for entry in shown(f"q={old.key}&{other}")] == [old.pk]
    typed = superuser().get(f"{LIST}?q=old&{other}", follow=True)
    assert [entry.pk for entry in typed.context["cl"].result_list] == [old.pk]
    assert "A filter looks" not in typed.content.decode()


@pytest.mark.parametrize("other", OTHERS[:-1])
def test_other_filters_look_at_the_newest_of_a_voice(
    shown: Callable[[str], list[AudioCacheEntry]], other: str
) -> None:
    old = row("old", provider="tone", voice="bass", expires=NEVER - 1, keep_until=NEVER)
    for number in range(2 * FEW):
        row(f"phrase {number}", provider="tone", voice="alto", expires=NEVER - 2)
    voice = json.dumps([old.provider, old.model, old.voice])
    assert [entry.pk for entry in shown(f"voice={voice}&{other}")] == [old.pk]


@pytest.mark.parametrize(
    "names", [["\ud800"], ["a\0"], ["a", "b", "\0"], ["a", "\ud800", "c"], [1], "a", None]
)
def test_a_voice_that_no_database_could_hold_is_no_choice(names: object) -> None:
    entry = row("one")
    response = superuser().get(LIST, {"voice": json.dumps(names)})
    assert [each.pk for each in response.context["cl"].result_list] == [entry.pk]


def test_a_voice_nested_too_deep_is_no_choice() -> None:
    assert superuser().get(LIST, {"voice": "[" * 100_000}).status_code == 200
