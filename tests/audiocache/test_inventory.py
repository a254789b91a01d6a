"""What is stored of a model before it goes: counted, priced, pinned."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from audiocache import get_audio_cache, retirement
from audiocache.builder import replace_audio_cache
from audiocache.entries import NEVER
from audiocache.inventory import cost_to_make, inventory
from audiocache.models import AudioCacheEntry, Tag
from audiocache.pulse import pulse
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.factories import row

ALIASES = [
    pytest.param("audiocache", marks=ON_SQLITE),
    pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
]


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest, settings: Any) -> Iterator[str]:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": request.param}
    settings.TTS = {"PROVIDER": "tone", "RETIRED_MODELS": {"acme/old": "2027-03-01"}}
    yield request.param
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


@pytest.fixture
def filled(alias: str) -> str:
    old = {"provider": "acme", "model": "old", "voice": "nova"}
    one = row("one", **old, cost=1_500_000)
    row("two", **old)
    made = {"source_key": one.source_key, "transcoded_from": one.key}
    row("one as mp3", **old, cost=1_500_000, **made)
    row("three", **old | {"voice": "alto"}, cost=500_000, pinned=True)
    row("four", provider="acme", model="new", voice="nova", cost=250_000)
    Tag.objects.create(tag="menu", key=AudioCacheEntry.objects.get(text="four").key)
    return alias


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("audiocache", *words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def test_it_counts_by_provider_model_and_voice(filled: str) -> None:
    found = {(kind["model"], kind["voice"]): kind for kind in run_json("inventory")}
    assert list(found) == [("new", "nova"), ("old", "alto"), ("old", "nova")]
    nova = found["old", "nova"]
    assert nova["entries"] == 3
    assert nova["bytes"] == sum(len(b"RIFF" + said * 3) for said in (b"one", b"two", b"one as mp3"))
    assert nova["cost"] == 1.5, "a rendition is made for nothing"
    assert nova["unpriced"] == 1
    assert nova["retires"] == "2027-03-01"
    assert found["old", "alto"]["pinned"] == 1
    assert found["new", "nova"]["retires"] is None


def test_what_was_bought_costs_once_whichever_of_its_formats_have_left(filled: str) -> None:
    bought = {"provider": "acme", "model": "old", "source_key": "0" * 64}
    for name in ("as mp3", "as opus"):
        row(name, **bought, voice="nova", cost=2_000_000, transcoded_from="1" * 64)
    found = {(kind["model"], kind["voice"]): kind["cost"] for kind in run_json("inventory")}
    assert found == {("new", "nova"): 0.25, ("old", "alto"): 0.5, ("old", "nova"): 3.5}
    assert cost_to_make() == 4_250_000


def test_it_is_one_query_however_much_there_is(filled: str) -> None:
    inventory()
    with CaptureQueriesContext(connections[filled]) as asked:
        inventory()
    assert len(asked) == 1


def test_it_follows_the_index(filled: str) -> None:
    """PostgreSQL's planner reads a table of five rows as it likes, unless it may not."""
    on_sqlite = connections[filled].vendor == "sqlite"
    with CaptureQueriesContext(connections[filled]) as asked:
        inventory()
    with transaction.atomic(using=filled), connections[filled].cursor() as cursor:
        for refused in () if on_sqlite else ("seqscan", "sort", "hashagg", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{refused} = off")
        cursor.execute(f"{'EXPLAIN QUERY PLAN' if on_sqlite else 'EXPLAIN'} {asked[0]['sql']}")
        plan = " ".join(str(step[-1]) for step in cursor.fetchall())
    assert "audiocache_voice" in plan
    assert "TEMP B-TREE" not in plan


def test_people_see_what_is_not_priced(filled: str) -> None:
    said = run("inventory")
    assert "1.5000 + 1?" in said
    assert "2027-03-01" in said
    assert "whose cost was not recorded" in said


def test_an_empty_table_is_a_sentence(alias: str) -> None:
    assert run("inventory") == "Nothing is stored.\n"


def test_a_selection_is_pinned_and_let_go(filled: str) -> None:
    words = ("--provider", "acme", "--model", "old")
    assert run_json("pin", *words, "--dry-run") == {"chosen": 4, "needed": 3, "pinned": 0}
    assert AudioCacheEntry.objects.filter(pinned=True).count() == 1
    assert run_json("pin", *words) == {"chosen": 4, "needed": 3, "pinned": 3}
    pinned = AudioCacheEntry.objects.filter(pinned=True)
    assert set(pinned.values_list("model", flat=True)) == {"old"}
    assert set(pinned.values_list("expires", flat=True)) == {NEVER}
    assert run_json("unpin", "--voice", "alto") == {"chosen": 1, "needed": 1, "unpinned": 1}
    assert pinned.count() == 3


def test_a_tag_is_a_selection(filled: str) -> None:
    assert run_json("pin", "--tag", "menu")["pinned"] == 1
    assert AudioCacheEntry.objects.get(text="four").pinned


def test_many_are_pinned_in_batches(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiocache.management.subcommands.pin.BATCH", 2)
    assert run_json("pin", "--provider", "acme")["pinned"] == 4
    assert "pinned  0" in run("pin", "--provider", "acme")


@pytest.mark.parametrize("name", ["pin", "unpin"])
def test_nothing_chosen_is_not_everything(alias: str, name: str) -> None:
    with pytest.raises(CommandError, match="Choose entries"):
        run(name)


def test_a_pin_stays_when_others_are_evicted(alias: str, settings: Any) -> None:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": alias, "PERSISTENT_MAX_SIZE": 3}
    cache = get_audio_cache()
    cache.put("kept", b"RIFFkept", provider="acme", model="old")
    run("pin", "--model", "old")
    for number in range(6):
        cache.put(f"other {number}", b"RIFF", provider="acme", model="new")
    assert AudioCacheEntry.objects.filter(model="old").count() == 1
    assert AudioCacheEntry.objects.count() == 3


def test_dates_come_from_who_knows_models(alias: str) -> None:
    assert retirement.dates() == {("acme", "old"): date(2027, 3, 1)}
