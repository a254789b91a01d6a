"""A refused answer is remembered by its source: over processes, doubling, and never in the way."""

from __future__ import annotations

import itertools
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction

from audiocache import CacheConfig, MultiTierAudioCache
from audiocache.clock import now_ms
from audiocache.entries import Clip, Recording
from audiocache.exceptions import TierBusy
from audiocache.keys import clip_of
from audiocache.models import RefusedClip
from audiocache.refused import KEPT_MS, RefusedTable
from tests.tts.databases import ALIASES
from tts import refusals
from tts.exceptions import NotAudio
from tts.quarantine import Limits
from tts.refusals import BELIEVED_MS, FIRST_MS, FORGIVEN_MS, LONGEST_MS, Refusals, refusals_of

SECRET = "The secret sentence"
CLIP = clip_of(SECRET, {"provider": "stub", "voice": "alto", "format": "mp3"})
BODY = b'{"error": "The secret sentence is too long"}'
MINUTE = 60_000


class Clock:
    """Milliseconds that the test moves."""

    def __init__(self) -> None:
        self.now = now_ms()

    def __call__(self) -> int:
        return self.now


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(alias: str) -> CacheConfig:
    return CacheConfig(persistent_database=alias)


@pytest.fixture
def memory(config: CacheConfig, clock: Clock) -> Refusals:
    return process(config, clock)


def process(config: CacheConfig, clock: Clock, limits: Limits = Limits(9, 10**6)) -> Refusals:  # noqa: B008
    """As another process has it: nothing known yet."""
    return Refusals(config, limits, clock)


def refused(audio: bytes = BODY, why: str = "the answer is JSON, not audio") -> NotAudio:
    error = NotAudio(why, provider="stub")
    error.recording = Recording(audio=audio, cost=12, billed_units=3)
    return error


def remembered(memory: Refusals, source_key: str = CLIP.source_key) -> NotAudio | None:
    try:
        memory.check(source_key)
    except NotAudio as error:
        return error
    return None


def rows(alias: str) -> list[RefusedClip]:
    return list(RefusedClip.objects.using(alias).order_by("id"))


@pytest.fixture
def statements(alias: str) -> Iterator[list[str]]:
    """What reaches the driver's connection of this thread."""
    said: list[str] = []
    query = RefusedTable.find

    def find(table: RefusedTable, source_key: str) -> Any:
        said.append(source_key)
        return query(table, source_key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RefusedTable, "find", find)
        yield said


def test_what_was_never_refused_passes(memory: Refusals) -> None:
    assert remembered(memory) is None


def test_a_refusal_is_raised_again_with_its_times_and_nothing_else(memory: Refusals) -> None:
    first = refused()
    memory.note(CLIP, first)
    error = remembered(memory)
    assert error is not None
    assert first.since == error.since
    assert first.until == error.until
    assert error.provider == "stub"
    assert error.recording is None
    assert "JSON" in str(error)
    assert f"{error.until:%Y-%m-%d %H:%M:%S} UTC" in str(error)
    assert "secret" not in f"{error} {error!r}"


def test_for_ten_minutes_then_doubling_to_a_day(memory: Refusals, clock: Clock) -> None:
    minutes = []
    for _ in range(11):
        error = refused()
        memory.note(CLIP, error)
        assert error.until is not None
        clock.now = round(error.until.timestamp() * 1000)
        assert remembered(memory) is None
        clock.now -= 1
        assert remembered(memory) is not None
        clock.now += 2
        minutes.append(error.until)
    spans = [round((b - a).total_seconds() / 60) for a, b in itertools.pairwise(minutes)]
    assert spans == [20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]


def test_a_week_later_it_begins_anew(memory: Refusals, clock: Clock) -> None:
    memory.note(CLIP, refused())
    clock.now += FIRST_MS + FORGIVEN_MS + 1
    error = refused()
    memory.note(CLIP, error)
    assert error.until is not None
    assert round(error.until.timestamp() * 1000) == clock.now + FIRST_MS


def test_two_who_refuse_at_once_count_once(
    memory: Refusals, config: CacheConfig, clock: Clock, alias: str
) -> None:
    other = process(config, clock)
    assert remembered(other) is None
    memory.note(CLIP, refused())
    other.note(CLIP, refused())
    [row] = rows(alias)
    assert (row.times, row.until) == (1, clock.now + FIRST_MS)


def test_other_processes_know(memory: Refusals, config: CacheConfig, clock: Clock) -> None:
    memory.note(CLIP, refused())
    assert remembered(process(config, clock)) is not None
    memory.forget(CLIP.source_key)
    assert remembered(process(config, clock)) is None


def test_a_check_is_one_query_at_most_and_none_for_what_is_known(
    memory: Refusals, config: CacheConfig, clock: Clock, statements: list[str]
) -> None:
    remembered(memory)
    assert len(statements) == 1
    memory.note(CLIP, refused())
    statements.clear()
    for _ in range(100):
        assert remembered(memory)
    assert not statements
    other = process(config, clock)
    for _ in range(100):
        assert remembered(other)
    assert len(statements) == 1


def test_what_a_person_forgot_elsewhere_is_forgotten_here_soon(
    memory: Refusals, config: CacheConfig, clock: Clock
) -> None:
    memory.note(CLIP, refused())
    process(config, clock).forget(CLIP.source_key)
    assert remembered(memory) is not None
    clock.now += BELIEVED_MS
    assert remembered(memory) is None


def test_a_remembered_refusal_is_not_noted_again(memory: Refusals, alias: str) -> None:
    memory.note(CLIP, refused())
    error = remembered(memory)
    assert error is not None
    memory.note(CLIP, error)
    assert rows(alias)[0].size == len(BODY)


def test_guarded_asks_once_and_forgets_when_it_went_well(
    memory: Refusals, clock: Clock, alias: str
) -> None:
    calls = []

    def broken() -> Recording:
        calls.append(1)
        raise refused()

    for _ in range(5):
        with pytest.raises(NotAudio):
            memory.guarded(CLIP, broken)
    assert len(calls) == 1
    clock.now += FIRST_MS
    good = Recording(audio=b"sound")
    assert memory.guarded(CLIP, lambda: good) is good
    assert not rows(alias)


def test_other_errors_are_not_remembered(memory: Refusals, alias: str) -> None:
    def broken() -> Recording:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        memory.guarded(CLIP, broken)
    assert not rows(alias)


def test_the_callers_transaction_is_not_touched(memory: Refusals, alias: str) -> None:
    with transaction.atomic(using="default"):
        memory.note(CLIP, refused())
        transaction.set_rollback(True, using="default")
    assert len(rows(alias)) == 1


def test_djangos_log_of_queries_holds_no_text(memory: Refusals, alias: str, settings: Any) -> None:
    settings.DEBUG = True
    memory.note(CLIP, refused())
    assert remembered(memory) is not None
    assert SECRET not in str(connections[alias].queries)


def test_without_its_table_there_is_no_memory_and_no_error(
    memory: Refusals, config: CacheConfig, clock: Clock, alias: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with connections[alias].schema_editor() as editor:
        editor.delete_model(RefusedClip)
    try:
        with caplog.at_level(logging.DEBUG):
            assert remembered(memory) is None
            memory.note(CLIP, refused())
            memory.forget("another")
        assert remembered(memory) is not None  # what this process knows it knows
        assert remembered(process(config, clock)) is None
        assert "secret" not in caplog.text
    finally:
        with connections[alias].schema_editor() as editor:
            editor.create_model(RefusedClip)


@pytest.mark.django_db(transaction=True, databases=["default", "audiocache_pg"])
def test_a_server_that_cannot_be_reached_is_no_error(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections["audiocache_pg"].close()
    with monkeypatch.context() as patch:
        patch.setitem(connections["audiocache_pg"].settings_dict, "PORT", "9")
        memory = process(CacheConfig(persistent_database="audiocache_pg"), clock)
        assert remembered(memory) is None
        memory.note(CLIP, refused())
        assert remembered(memory) is not None


def test_a_cache_without_a_database_remembers_in_this_process(clock: Clock) -> None:
    memory = process(CacheConfig(backend="memory"), clock)
    memory.note(CLIP, refused())
    clock.now += BELIEVED_MS + 1
    assert remembered(memory) is not None
    memory.forget(CLIP.source_key)
    assert remembered(memory) is None


def test_what_this_process_knows_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_KNOWN", 10)
    memory = process(CacheConfig(backend="memory"), clock)
    for number in range(95):
        memory.note(clip_of(f"text {number}"), refused())
    assert len(memory._known) <= 10


def test_rows_are_bounded_in_number_and_time(
    memory: Refusals, clock: Clock, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audiocache.refused.MAX_ROWS", 20)
    for number in range(60):
        clock.now += 1
        memory.note(clip_of(f"text {number}"), refused(b""))
    assert len(rows(alias)) == 20
    clock.now += LONGEST_MS + KEPT_MS
    memory.note(CLIP, refused(b""))
    assert [row.key for row in rows(alias)] == [CLIP.key]


def test_threads_may_all_note_and_check(memory: Refusals, alias: str) -> None:
    def work(number: int) -> None:
        for step in range(10):
            clip: Clip = clip_of(f"text {step % 4}")
            memory.note(clip, refused())
            assert remembered(memory, clip.source_key)
        connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows(alias)) == 4


def test_each_cache_has_one_memory() -> None:
    one, two = (MultiTierAudioCache(CacheConfig(backend="memory")) for _ in range(2))
    assert refusals_of(one) is refusals_of(one)
    assert refusals_of(one) is not refusals_of(two)
    error = refused()
    refusals_of(one).note(CLIP, error)
    with pytest.raises(NotAudio):
        refusals_of(one).check(CLIP.source_key)
    refusals_of(two).check(CLIP.source_key)
    refusals_of(one).forget(CLIP.source_key)
    refusals_of(one).check(CLIP.source_key)


def test_it_can_be_imported_before_django_is_ready() -> None:
    code = "import tts.refusals; print('ok')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "ok\n", done.stderr


def test_a_refusal_has_the_tags_of_all_who_asked(
    memory: Refusals, config: CacheConfig, clock: Clock, alias: str
) -> None:
    def broken() -> Recording:
        raise refused()

    def ask(asked: Refusals, *tags: str) -> None:
        with pytest.raises(NotAudio):
            asked.guarded(CLIP, broken, tags=tags)

    ask(memory)
    assert [row.tags for row in rows(alias)] == [None]
    ask(memory, "user:2")
    ask(process(config, clock), "user:1", "user:2")
    assert [row.tags for row in rows(alias)] == ['["user:1", "user:2"]']
    clock.now += FIRST_MS + 1
    ask(process(config, clock), "user:3")
    assert [row.tags for row in rows(alias)] == ['["user:1", "user:2", "user:3"]']
    memory.forget(CLIP.source_key)
    memory.tag(CLIP.source_key, ["user:4"])
    assert rows(alias) == []


def test_tags_that_are_added_at_once_are_all_there(config: CacheConfig, alias: str) -> None:
    process(config, Clock()).note(CLIP, refused())
    gate, tags = threading.Barrier(3), [f"user:{number}" for number in range(9)]

    def add(place: int) -> None:
        table = RefusedTable(alias)
        gate.wait(20)
        for tag in tags[place::3]:
            until_it_is_taken(partial(table.add_tags, CLIP.source_key, [tag]))
        connections[alias].close()

    threads = [threading.Thread(target=add, args=[place]) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    [row] = rows(alias)
    assert row.tags is not None
    assert json.loads(row.tags) == tags


def until_it_is_taken(call: Callable[[], None]) -> None:
    """A busy database is asked again."""
    until = time.monotonic() + 20
    while True:
        try:
            return call()
        except TierBusy:
            assert time.monotonic() < until
