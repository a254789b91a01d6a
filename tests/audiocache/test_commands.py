"""manage.py audiocache: each subcommand, asked by people and by scripts."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from audiocache import MultiTierAudioCache, get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.celery import CLEANUP, ROLLUP
from audiocache.keys import clip_of
from audiocache.management import registry
from audiocache.management.asking import confirm
from audiocache.management.output import Output, human_bytes, moment, shown
from audiocache.management.subcommand import Subcommand
from audiocache.models import AudioCacheEntry, Count
from audiocache.pulse import pulse
from audiocache.stats import is_latency
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.settings import TEST_REDIS_URL

SECRET = "a text that no log may have"
AUDIO = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(1000)
KEY = sha256(SECRET.encode()).hexdigest()

ALIASES = [
    pytest.param("audiocache", marks=ON_SQLITE),
    pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
]


@pytest.fixture(params=ALIASES)
def cache(request: pytest.FixtureRequest, settings: Any) -> Iterator[MultiTierAudioCache]:
    """The cache of the process, on memory, a database and Redis."""
    settings.AUDIOCACHE = {
        "PERSISTENT_DATABASE": request.param,
        "REDIS_URL": TEST_REDIS_URL,
        "REDIS_PREFIX": f"test-{uuid4().hex[:12]}",
    }
    yield get_audio_cache()
    close()


@pytest.fixture
def memory_only(settings: Any) -> Iterator[MultiTierAudioCache]:
    settings.AUDIOCACHE = {"BACKEND": "memory"}
    yield get_audio_cache()
    close()


def close() -> None:
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


def run(*words: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("audiocache", *words, stdout=out, stderr=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def in_a_process_of_its_own(cache: MultiTierAudioCache) -> MultiTierAudioCache:
    """The cache as a command finds it: memory empty, counters elsewhere."""
    cache.flush()
    replace_audio_cache(None)
    return get_audio_cache()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# The dispatcher


def test_an_unknown_subcommand_names_the_known_ones() -> None:
    with pytest.raises(CommandError, match="invalid choice: 'nonsense'"):
        run("nonsense")


def test_without_a_subcommand_there_is_an_error() -> None:
    with pytest.raises(CommandError, match="subcommand"):
        run()


def test_wrong_settings_are_a_sentence(settings: Any) -> None:
    settings.AUDIOCACHE = {"MEMORY_MAX_SIZE": "many"}
    with pytest.raises(CommandError, match="CACHE_MEMORY_MAX_SIZE: must be a whole number"):
        run("stats")


@pytest.mark.parametrize("name", ["warm", "explain"])
def test_what_another_app_brings_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    room = "audiocache.management.subcommands.absent.OfTts"
    monkeypatch.setattr(registry, "_paths", registry._paths | {name: room})
    with pytest.raises(CommandError, match=f"^audiocache {name} .*add 'tts' to INSTALLED_APPS.$"):
        run(name, "--phrases", "file.po", "-x")


class Greet(Subcommand):
    """Of the tests."""

    help = "Greet."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("name")

    def handle(self, **options: Any) -> None:
        self.out.line(f"Hello {options['name']}")


def test_another_app_can_add_a_subcommand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_paths", dict(registry._paths))
    registry.register("greet", f"{__name__}.Greet")
    assert run("greet", "team") == "Hello team\n"


# stats


def test_stats_are_those_of_all_processes(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    cache.get(SECRET)
    cache.get("another")
    in_a_process_of_its_own(cache)
    figures = run_json("stats")
    assert figures["performance"]["hits"] == {"memory": 1, "persistent": 0, "distributed": 0}
    assert figures["performance"]["misses"] == {"memory": 1, "persistent": 1, "distributed": 1}
    assert figures["performance"]["memory_hit_rate"] == 0.5
    assert figures["counters"]["memory.puts"] == 1
    assert not [name for name in figures["counters"] if is_latency(name)]
    took = figures["performance"]["latency"]["persistent"]
    assert 0 < took["put"]["p50_ms"] <= took["put"]["p99_ms"]
    assert figures["backends"]["persistent"]["entry_count"] == 1
    assert figures["scope"] == {
        "performance": "all processes",
        "counters": "all processes",
        "backends": {
            "memory": "this process",
            "persistent": "all processes",
            "distributed": "all processes",
        },
    }
    assert figures["config"]["redis_url"] == "********"


def test_stats_for_people_say_whose_numbers_they_are(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    text = run("stats")
    assert "all processes" in text
    assert "this process" in text
    assert "1,000 entries, 500.0 MiB" in text
    assert "0.1%" in text
    assert re.search(r"^  put +\S+ / \S+ ", text, re.MULTILINE)
    assert SECRET not in text


def test_stats_without_a_database_say_so(memory_only: MultiTierAudioCache) -> None:
    assert "No tier keeps the installation's counters" in run("stats")
    assert run_json("stats")["scope"]["counters"] is None


def test_stats_on_a_terminal_are_tables_of_rich(cache: MultiTierAudioCache) -> None:
    out = Terminal()
    call_command("audiocache", "stats", stdout=out)
    assert "┃" in out.getvalue()


def test_without_rich_a_terminal_gets_plain_text(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.management.output.find_spec", lambda name: None)
    out = Terminal()
    call_command("audiocache", "stats", stdout=out)
    assert "┃" not in out.getvalue()
    assert "persistent" in out.getvalue()


# cleanup


def expired(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    AudioCacheEntry.objects.update(expires=1, keep_until=1)


def test_cleanup_counts_by_tier(cache: MultiTierAudioCache) -> None:
    expired(cache)
    assert run_json("cleanup") == {"removed": {"memory": 0, "persistent": 1, "distributed": 0}}
    assert "persistent   0" in run("cleanup")


def test_cleanup_leaves_the_work_to_another_that_is_at_it(cache: MultiTierAudioCache) -> None:
    expired(cache)
    with cache.turns.only_one(CLEANUP), cache.turns.only_one(ROLLUP):
        assert "Another clean-up is at work" in run("cleanup")
        assert run_json("cleanup", "--rollup") == {"removed": None, "hours_folded": None}
        assert "Another is at work." in run("cleanup", "--rollup")
    assert AudioCacheEntry.objects.exists()


def test_cleanup_folds_old_hours_when_asked(cache: MultiTierAudioCache) -> None:
    Count.objects.create(name="memory.hits", resolution="h", period=3_600_000, value=5)
    assert run_json("cleanup", "--rollup")["hours_folded"] == 1
    assert "Folded into days: 0 hourly counters." in run("cleanup", "--rollup")


def test_cleanup_without_a_database(memory_only: MultiTierAudioCache) -> None:
    assert run_json("cleanup", "--rollup")["hours_folded"] == 0


# clear


def test_clear_says_what_it_costs_and_does_nothing_without_an_answer(
    cache: MultiTierAudioCache,
) -> None:
    cache.put(SECRET, AUDIO)
    AudioCacheEntry.objects.update(cost=1_500_000)
    with pytest.raises(CommandError, match=r"add --yes to do it\. Nothing was done\."):
        run("clear")
    assert cache.get(SECRET) == AUDIO
    said = run("clear", "--yes")
    assert "1 entry (1,016 bytes) from memory, persistent, distributed" in said
    assert "costs about 1.5000" in said
    assert cache.get(SECRET) is None


def test_clear_without_a_database(memory_only: MultiTierAudioCache) -> None:
    memory_only.put(SECRET, AUDIO)
    assert "how many is not known" in run("clear", "--yes")
    assert memory_only.get(SECRET) is None


def test_clear_says_that_no_cost_was_recorded(cache: MultiTierAudioCache) -> None:
    assert "0 entries (0 bytes)" in run("clear", "--yes")


@pytest.mark.parametrize(("answer", "goes_on"), [("yes\n", True), ("no\n", False), ("", False)])
def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool) -> None:
    from django.core.management.base import OutputWrapper

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    out = Output(OutputWrapper(io.StringIO()))
    if goes_on:
        confirm(out, "Sure?", yes=False)
        return
    with pytest.raises(CommandError, match=r"^Nothing was done\.$"):
        confirm(out, "Sure?", yes=False)


# inspect


def test_inspect_shows_where_a_clip_lives(cache: MultiTierAudioCache) -> None:
    key = cache.put(SECRET, AUDIO, voice="nova", speed=1.5, tags=["home"])
    report = run_json("inspect", SECRET, "--voice", "nova", "--variant", "speed=1.5")
    assert report["key"] == key
    assert {name: life["state"] for name, life in report["tiers"].items()} == {
        "memory": "fresh",
        "persistent": "fresh",
        "distributed": "fresh",
    }
    assert report["entry"]["tags"] == ["home"]
    assert report["entry"]["hits"] == 0
    assert report["entry"]["size"] == len(AUDIO)
    assert "text" not in report


@pytest.mark.parametrize("digits", [8, 20, 64])
def test_inspect_takes_a_key_or_its_beginning(cache: MultiTierAudioCache, digits: int) -> None:
    cache.put(SECRET, AUDIO)
    text = run("inspect", KEY[:digits])
    assert f"key: {KEY}" in text
    assert SECRET not in text
    assert SECRET in run("inspect", KEY[:digits], "--show-text")


def test_inspect_asks_for_more_digits(cache: MultiTierAudioCache) -> None:
    for ending in ("0", "1"):
        cache.put(f"phrase {ending}", AUDIO)
    for place, entry in enumerate(AudioCacheEntry.objects.all()):
        AudioCacheEntry.objects.filter(pk=entry.pk).update(key="ab" * 31 + f"0{place}")
    with pytest.raises(CommandError, match="give more digits"):
        run("inspect", "abababab")


def test_inspect_of_a_text_that_looks_like_a_key(cache: MultiTierAudioCache) -> None:
    cache.put("12345678", AUDIO)
    assert "persistent" in run("inspect", "12345678")


def test_inspect_saves_the_sound(cache: MultiTierAudioCache, tmp_path: Path) -> None:
    cache.put(SECRET, AUDIO)
    file = tmp_path / "clip.wav"
    assert f"saved: {file}" in run("inspect", SECRET, "--save", str(file))
    assert file.read_bytes() == AUDIO
    with pytest.raises(CommandError, match=r"--save: cannot write .*: No such file"):
        run("inspect", SECRET, "--save", str(tmp_path / "none" / "clip.wav"))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.wav"]


def test_inspect_of_what_is_not_there_shows_the_texts_other_variants(
    cache: MultiTierAudioCache,
) -> None:
    cache.put(SECRET, AUDIO, voice="nova")
    out = io.StringIO()
    with pytest.raises(CommandError, match="No tier has this clip"):
        call_command("audiocache", "inspect", SECRET, stdout=out)
    assert "nova" in out.getvalue()


def test_inspect_of_a_clip_that_only_redis_has(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    AudioCacheEntry.objects.all().delete()
    cache.tiers["memory"].clear()
    report = run_json("inspect", SECRET)
    assert report["tiers"]["persistent"] is None
    assert report["tiers"]["distributed"]["state"] == "fresh"
    assert "hits" not in report["entry"]


def test_inspect_without_a_database(memory_only: MultiTierAudioCache) -> None:
    memory_only.put(SECRET, AUDIO)
    assert run_json("inspect", SECRET)["entry"]["size"] == len(AUDIO)
    with pytest.raises(CommandError):
        run("inspect", "12345678")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["  "], "text must not be empty or blank"),
        ([SECRET, "--variant", "speed"], "--variant must be NAME=VALUE"),
        ([SECRET, "--variant", "tags=1"], "tags is reserved"),
        ([SECRET, "--namespace", "x" * 101], "namespace must have at most 100 characters"),
    ],
)
def test_inspect_refuses(memory_only: Any, words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        run("inspect", *words)
    assert SECRET not in str(refused.value)


def test_a_tier_in_trouble_is_shown_as_such(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiocache.exceptions import TierUnavailable

    def fail(keys: Any) -> Any:
        raise TierUnavailable("gone")

    cache.put(SECRET, AUDIO)
    monkeypatch.setattr(cache.tiers["distributed"], "get_many", fail)
    assert run_json("inspect", SECRET)["tiers"]["distributed"] == "unavailable"
    assert "unavailable" in run("inspect", SECRET)


# remove


def test_remove_of_a_text(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    cache.put(SECRET, AUDIO, voice="nova")
    said = run("remove", SECRET, "--yes")
    assert "The database has 1 of it." in said
    assert "Removed." in said
    assert SECRET not in said
    assert not cache.has(SECRET)
    assert cache.has(SECRET, voice="nova")
    hint = run("remove", SECRET, "--yes")
    assert "other variants (1 found)" in hint
    assert "No tier had it." in hint
    run("remove", SECRET, "--variant", "voice=nova", "--yes")
    assert not cache.has(SECRET, voice="nova")


def test_remove_of_all_variants(cache: MultiTierAudioCache) -> None:
    for voice in map(str, range(25)):
        cache.put(SECRET, AUDIO, voice=voice)
    assert "The database has 20 and more of it." in run("remove", SECRET, "--all-variants", "--yes")
    assert not AudioCacheEntry.objects.exists()


def test_remove_says_what_goes_and_not_what_a_neighbour_has(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    cache.put(SECRET, AUDIO, namespace="shop")
    said = run("remove", SECRET, "--all-variants", "--yes")
    assert "The database has 1 of it." in said
    assert cache.has(SECRET, namespace="shop")


def test_remove_finds_what_an_earlier_cache_kept_as_it_was_given(
    cache: MultiTierAudioCache,
) -> None:
    given = f"{SECRET}  and  more"
    cache.put(given, AUDIO, voice="nova")
    clip = clip_of(given, {"voice": "nova"})
    AudioCacheEntry.objects.filter(key=clip.key).update(
        key=clip.legacy_key, source_key=clip.legacy_key, text_digest=clip.legacy_digest
    )
    assert "other variants (1 found)" in run("remove", given, "--yes")
    assert "The database has 1 of it." in run("remove", given, "--all-variants", "--yes")
    assert not AudioCacheEntry.objects.exists()


def test_remove_by_key(cache: MultiTierAudioCache) -> None:
    keys = [cache.put(text, AUDIO) for text in ("one", "two", "three")]
    run("remove", "--key", keys[0].upper(), "--key", keys[1], "--yes")
    assert [cache.has(text) for text in ("one", "two", "three")] == [False, False, True]


def test_remove_asks(cache: MultiTierAudioCache) -> None:
    cache.put(SECRET, AUDIO)
    for words in ([SECRET], ["--key", KEY]):
        with pytest.raises(CommandError, match="Nothing was done"):
            run("remove", *words)
    assert cache.has(SECRET)


def test_remove_without_a_database(memory_only: MultiTierAudioCache) -> None:
    memory_only.put(SECRET, AUDIO)
    assert run("remove", SECRET, "--yes") == "Removed.\n"
    assert run("remove", SECRET, "--yes") == "No tier had it.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give either a TEXT, a --tag or --key"),
        (["text", "--key", KEY], "Give either a TEXT, a --tag or --key"),
        (["--key", "abc"], "--key must be 64 hex digits, not 3 characters"),
    ],
)
def test_remove_refuses(memory_only: Any, words: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("remove", *words, "--yes")


# import


@pytest.fixture
def legacy_file(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    now = datetime.now()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE audio_cache (key TEXT PRIMARY KEY, data BLOB, created_at TEXT,"
            " accessed_at TEXT, access_count INTEGER, size_bytes INTEGER, expires_at TEXT)"
        )
        for text, hours in ((SECRET, 5), ("gone", -5)):
            moment = now.isoformat()
            end = (now + timedelta(hours=hours)).isoformat()
            key = sha256(text.encode()).hexdigest()
            row = (key, AUDIO, moment, moment, 3, len(AUDIO), end)
            connection.execute("INSERT INTO audio_cache VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    return path


def test_import_brings_an_earlier_caches_file(
    cache: MultiTierAudioCache, legacy_file: Path
) -> None:
    report = run_json("import", str(legacy_file))
    assert (report["imported"], report["expired"]) == (1, 1)
    assert cache.get(SECRET) == AUDIO
    assert "present" in run("import", str(legacy_file))


def test_import_with_a_variant(cache: MultiTierAudioCache, legacy_file: Path) -> None:
    run("import", str(legacy_file), "--variant", '{"voice": "nova"}', "--namespace", "old")
    assert cache.get(SECRET, voice="nova", namespace="old") == AUDIO


def test_import_shows_progress_on_a_terminal(cache: MultiTierAudioCache, legacy_file: Path) -> None:
    with sqlite3.connect(legacy_file) as connection:
        for number in range(150):
            connection.execute(
                "INSERT INTO audio_cache SELECT ?, data, created_at, accessed_at, 1, 1, expires_at"
                " FROM audio_cache WHERE key = ?",
                (sha256(str(number).encode()).hexdigest(), KEY),
            )
    connection.close()
    err = Terminal()
    call_command("audiocache", "import", str(legacy_file), stdout=io.StringIO(), stderr=err)
    assert "152 of 152 rows\n" in err.getvalue()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.db"], "none.db is not a file"),
        (["FILE", "--variant", "{"], "--variant must be a JSON object"),
        (["FILE", "--variant", "[]"], "--variant must be a JSON object"),
        (["FILE", "--variant", '{"tags": 1}'], "tags is reserved"),
        (["FILE", "--time-zone", "Nowhere/Land"], "--time-zone: there is no time zone"),
    ],
)
def test_import_refuses(
    cache: MultiTierAudioCache, legacy_file: Path, words: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run("import", *[word.replace("FILE", str(legacy_file)) for word in words])
    assert not AudioCacheEntry.objects.exists()


def test_import_takes_a_time_zone(cache: MultiTierAudioCache, legacy_file: Path) -> None:
    assert run_json("import", str(legacy_file), "--time-zone", "UTC")["total"] == 2


def test_import_needs_a_database(memory_only: MultiTierAudioCache, legacy_file: Path) -> None:
    with pytest.raises(CommandError, match="no database tier"):
        run("import", str(legacy_file))


# The database in trouble


@ON_SQLITE
def test_a_missing_table_is_a_sentence(settings: Any) -> None:
    settings.AUDIOCACHE = {"PERSISTENT_DATABASE": "audiocache"}
    with connections["audiocache"].cursor() as cursor:
        cursor.execute("ALTER TABLE audiocache_entry RENAME TO hidden")
    try:
        with pytest.raises(CommandError, match="The cache's database: no such table"):
            run("remove", "--key", KEY, "--yes")
    finally:
        with connections["audiocache"].cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO audiocache_entry")
        close()


def test_clear_when_the_database_does_not_answer(
    cache: MultiTierAudioCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audiocache.exceptions import TierUnavailable

    def fail() -> Any:
        raise TierUnavailable("gone")

    monkeypatch.setattr(cache.tiers["persistent"], "stats", fail)
    assert "does not answer now" in run("clear", "--yes")


# Printing


@pytest.mark.parametrize(
    ("size", "words"),
    [(None, "-"), (0, "0 bytes"), (1023, "1,023 bytes"), (48640, "47.5 KiB"), (2**21, "2.0 MiB"),
     (3 * 2**40, "3,072.0 GiB")],
)  # fmt: skip
def test_sizes_for_people(size: int | None, words: str) -> None:
    assert human_bytes(size) == words


def test_values_for_people() -> None:
    given = [None, "", True, False, 12345, 1.5, [], ["a", "b"]]
    assert [shown(value) for value in given] == [
        "-",
        "-",
        "yes",
        "no",
        "12,345",
        "1.5",
        "-",
        "a, b",
    ]


def test_an_instant_is_iso_in_utc() -> None:
    assert moment(1_500) == "1970-01-01T00:00:01.500+00:00"
    assert moment(None) is None
