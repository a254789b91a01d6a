"""Erasing on request: neither text nor sound is in any file afterwards (Must show 8)."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.db import connections

from audiocache import MultiTierAudioCache, get_audio_cache
from audiocache.builder import replace_audio_cache
from audiocache.conf import CacheConfig
from audiocache.entries import Recording
from audiocache.erasing.scrubbing import CannotScrub, scrub
from audiocache.keys import clip_of
from audiocache.models import AudioCacheEntry, RefusedClip
from audiocache.pulse import pulse
from audiocache.refused import Refusal, RefusedTable, row_of
from audiocache.workers import finish_all
from project.servers import start_redis
from project.servers.redis import RedisServer
from tests.audiocache.conftest import ON_POSTGRESQL, ON_SQLITE
from tests.factories import NOW

TAG = "subject:Ottoline Fernsby"
NEIGHBOUR = b"RIFF of somebody else"
FULL = 8
"""Rows that the table may have, where some are to be evicted."""

ALIASES = [
    pytest.param("audiocache", marks=ON_SQLITE),
    pytest.param("audiocache_pg", marks=ON_POSTGRESQL),
]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of the test's own, whose dump is not compressed: bytes can be looked for."""
    with start_redis("--rdbcompression", "no") as started:
        yield started


@pytest.fixture(params=ALIASES)
def alias(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def use(settings: Any, **given: Any) -> MultiTierAudioCache:
    settings.AUDIOCACHE = given
    return get_audio_cache()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    pulse.stop()


@pytest.fixture
def cache(settings: Any, alias: str, server: RedisServer) -> MultiTierAudioCache:
    return use(settings, PERSISTENT_DATABASE=alias, REDIS_URL=server.url)


def again(settings: Any, **given: Any) -> MultiTierAudioCache:
    """As another process would have it."""
    if (before := replace_audio_cache(None)) is not None:
        before.close()
    return use(settings, **given)


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("audiocache", *words, stdout=out, stderr=out)
    return out.getvalue()


class Subject:
    """Texts and sounds that are in nothing else."""

    def __init__(self) -> None:
        self.texts = [f"Dear Ottoline {secrets.token_hex(12)}" for _ in range(4)]
        self.sounds = [b"RIFF" + secrets.token_bytes(20_000) for _ in range(6)]

    def speak(self, cache: MultiTierAudioCache) -> None:
        """Stored, replaced, gone again, and refused: each leaves bytes in other places."""
        cache.put(self.texts[0], self.sounds[0], tags=[TAG], voice="nova")
        cache.put(self.texts[1], self.sounds[1], tags=[TAG, "other"], voice="nova")
        cache.put(self.texts[1], self.sounds[2], tags=[TAG, "other"], voice="nova")
        cache.put(self.texts[2], self.sounds[3], tags=[TAG])
        cache.remove(self.texts[2])
        refuse(cache.config, self.texts[0], self.sounds[4])

    def evict_one(self, cache: MultiTierAudioCache) -> None:
        """Stored, and gone from the table to make room."""
        key = cache.put(self.texts[3], self.sounds[5], tags=[TAG])
        AudioCacheEntry.objects.filter(key=key).update(used=0)
        cache.put_many([(f"filler {number}", NEIGHBOUR) for number in range(FULL)])
        assert not AudioCacheEntry.objects.filter(key=key).exists()

    def found_in(self, files: dict[str, bytes]) -> set[str]:
        """What can be read in files, and where."""
        needles = {text.encode() for text in self.texts} | {TAG.encode()}
        for sound in self.sounds:
            needles |= {sound[at : at + 16] for at in range(4, len(sound) - 16, 6_000)}
        return {name for name, raw in files.items() if any(needle in raw for needle in needles)}


def refuse(config: CacheConfig, text: str, audio: bytes, *tags: str) -> None:
    table = RefusedTable.of(config)
    assert table is not None
    refusal = Refusal(since=NOW, until=NOW, times=1, reason="it is silent", provider="tone")
    clip, recording = clip_of(text, {"voice": "nova"}, ""), Recording(audio=audio, tags=tags)
    row = row_of(clip, recording, refusal, NOW, keep=True, store_text=config.store_text)
    table.save(row)


def database_files(alias: str) -> dict[str, bytes]:
    """SQLite's file and its log; PostgreSQL's tables, after what is in its memory is written."""
    connection = connections[alias]
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        return {one.name: one.read_bytes() for one in path.parent.glob(f"{path.name}*")}
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SHOW data_directory")
        [data] = cursor.fetchone()
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        [oid] = cursor.fetchone()
    paths = list((Path(data) / "base" / str(oid)).iterdir())
    return {str(path): path.read_bytes() for path in paths}


def dump(server: RedisServer) -> dict[str, bytes]:
    """What Redis writes to its disk."""
    with redis.Redis.from_url(server.url) as client:
        client.save()
    return {"dump.rdb": (server.folder / "dump.rdb").read_bytes()}


def test_after_remove_by_tag_no_file_has_text_or_sound(
    cache: MultiTierAudioCache, alias: str, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    subject = Subject()
    cache.put("somebody else", NEIGHBOUR)
    subject.speak(cache)
    before = subject.found_in(database_files(alias) | dump(server))
    assert len(before) >= 2, "what is looked for can be seen"
    said = run("remove", "--tag", TAG, "--yes")
    if "kept: PostgreSQL's files" in said:
        said += run("scrub", "--yes")
    files = database_files(alias) | dump(server)
    files |= {"log": caplog.text.encode(), "said": said.encode()}
    assert subject.found_in(files) == set()
    assert not RefusedClip.objects.exists()
    assert cache.get("somebody else") == NEIGHBOUR


@contextmanager
def somebody_looking(alias: str) -> Iterator[None]:
    """A transaction of the site that saw all rows, and goes on."""
    other = connections[alias].copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT COUNT(*) FROM django_content_type")
        yield
        cursor.execute("ROLLBACK")


@pytest.mark.parametrize("alias", [pytest.param("audiocache_pg", marks=ON_POSTGRESQL)])
def test_no_transaction_elsewhere_keeps_what_is_erased(
    cache: MultiTierAudioCache, alias: str
) -> None:
    """Rows that it may still see are what VACUUM FULL copies."""
    subject = Subject()
    subject.speak(cache)
    cache.put("somebody else", NEIGHBOUR)
    with somebody_looking(alias):
        run("remove", "--tag", TAG, "--yes")
        run("scrub", "--yes")
        assert subject.found_in(database_files(alias)) == set()
    assert cache.get("somebody else") == NEIGHBOUR


@pytest.mark.parametrize("alias", [pytest.param("audiocache_pg", marks=ON_POSTGRESQL)])
def test_the_servers_catalogue_has_no_samples(cache: MultiTierAudioCache, alias: str) -> None:
    """ANALYZE, which autovacuum runs by itself, copies values of columns into it."""
    subject = Subject()
    cache.put_many([(text, b"RIFF" + text.encode()) for text in subject.texts], tags=[TAG])
    refuse(cache.config, subject.texts[0], b"RIFF" + subject.texts[0].encode())
    run("scrub", "--yes")  # which leaves the columns as they were
    with connections[alias].cursor() as cursor:
        cursor.execute("ANALYZE audiocache_entry, audiocache_tag, audiocache_refused")
    run("remove", "--tag", TAG, "--yes")
    run("scrub", "--yes")
    assert subject.found_in(database_files(alias)) == set()


class Undeletable(FileSystemStorage):
    """A bucket whose key may write and not delete."""

    def delete(self, name: str) -> None:
        raise PermissionError("denied")


class Slow(FileSystemStorage):
    """A bucket that takes its time to delete."""

    may = threading.Event()

    def delete(self, name: str) -> None:
        assert self.may.wait(20)
        super().delete(name)


def use_storages(settings: Any, folder: Path) -> None:
    options = {"OPTIONS": {"location": str(folder)}}
    settings.STORAGES = settings.STORAGES | {
        "clips": {"BACKEND": "django.core.files.storage.FileSystemStorage"} | options,
        "undeletable": {"BACKEND": f"{__name__}.Undeletable"} | options,
        "slow": {"BACKEND": f"{__name__}.Slow"} | options,
        "elsewhere": {"BACKEND": "django.core.files.storage.FileSystemStorage"}
        | {"OPTIONS": {"location": str(folder / "other")}},
    }


def storage_files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in found}


def home(alias: str, storage: str, folder: Path) -> Path:
    """Where the table has its clips."""
    root = folder if storage else Path(str(connections[alias].settings_dict["NAME"])).parent
    return root / Path(AudioCacheEntry.objects.exclude(storage_name="")[0].storage_name).parents[1]


@pytest.mark.parametrize(
    ("alias", "storage"),
    [
        pytest.param("audiocache", "", marks=ON_SQLITE, id="beside"),
        pytest.param("audiocache", "clips", marks=ON_SQLITE, id="alias"),
        pytest.param("audiocache_pg", "clips", marks=ON_POSTGRESQL, id="pg-alias"),
    ],
)
def test_after_remove_by_tag_no_file_of_a_storage_has_its_sound(
    settings: Any, alias: str, storage: str, server: RedisServer, tmp_path: Path
) -> None:
    """Must show 8, with clips in files; evicted, replaced and removed ones, too."""
    cache = use(
        settings, PERSISTENT_DATABASE=alias, REDIS_URL=server.url, INLINE_MAX_KB=1,
        STORAGE=storage, PERSISTENT_MAX_SIZE=FULL,
    )  # fmt: skip
    use_storages(settings, tmp_path)
    subject = Subject()
    subject.evict_one(cache)
    subject.speak(cache)
    cache.put("somebody else", NEIGHBOUR * 200)
    finish_all()  # deletions that are begun
    folder = home(alias, storage, tmp_path)
    before = subject.found_in(storage_files(folder))
    assert len(before) == 2, "what is looked for can be seen"
    report = json.loads(run("remove", "--tag", TAG, "--yes", "--json"))
    [step] = [step for step in report["steps"] if step["place"] == "clips in a storage"]
    assert (step["state"], step["told"][:10]) == ("erased", "2 deleted,")
    if alias == "audiocache_pg":
        run("scrub", "--yes")
    files = storage_files(folder) | database_files(alias) | dump(server)
    assert subject.found_in(files) == set()
    assert cache.get("somebody else") == NEIGHBOUR * 200
    assert any(NEIGHBOUR in raw for raw in storage_files(folder).values())


@ON_SQLITE
def test_an_export_keeps_what_it_has_and_a_later_one_has_nothing(
    settings: Any, tmp_path: Path
) -> None:
    cache = use(settings, PERSISTENT_DATABASE="audiocache")
    subject, earlier, later = Subject(), tmp_path / "earlier.tar", tmp_path / "later.tar"
    subject.speak(cache)
    cache.put("somebody else", NEIGHBOUR)
    run("export", str(earlier))
    report = json.loads(run("remove", "--tag", TAG, "--yes", "--json"))
    run("export", str(later))
    files = {path.name: path.read_bytes() for path in (earlier, later)}
    assert subject.found_in(files) == {"earlier.tar"}
    assert NEIGHBOUR in files["later.tar"]
    states = {step["place"]: (step["state"], step["told"]) for step in report["steps"]}
    assert states["backups, exports, browsers"] == ("not ours", "copies that left the cache")


@ON_SQLITE
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"STORAGE": "undeletable"}, "PermissionError|in trouble|not to be deleted"),
        ({"STORAGE": "elsewhere"}, "in another storage than CACHE_STORAGE"),
    ],
)
def test_files_that_could_not_be_deleted_are_pending_by_name(
    settings: Any, tmp_path: Path, given: dict[str, str], why: str
) -> None:
    use_storages(settings, tmp_path)
    base: dict[str, Any] = {"PERSISTENT_DATABASE": "audiocache", "INLINE_MAX_KB": 1}
    use(settings, **base, STORAGE="clips").put("one", NEIGHBOUR * 200, tags=["t"])
    name = AudioCacheEntry.objects.get().storage_name
    again(settings, **base, **given)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not all of it is erased yet"):
        call_command("audiocache", "remove", "--tag", "t", "--yes", stdout=out)
    told = next(line for line in out.getvalue().splitlines() if "clips in a storage" in line)
    assert told.startswith("pending: ")
    assert re.search(why, told)
    assert name in told
    assert "type: manage.py audiocache cleanup" in out.getvalue()


@ON_SQLITE
def test_the_report_waits_for_files_that_are_deleted_on_a_thread(
    settings: Any, tmp_path: Path
) -> None:
    use_storages(settings, tmp_path)
    cache = use(settings, PERSISTENT_DATABASE="audiocache", INLINE_MAX_KB=1, STORAGE="slow")
    cache.put("one", NEIGHBOUR * 200, tags=["t"])
    path = tmp_path / AudioCacheEntry.objects.get().storage_name
    timer = threading.Timer(0.2, Slow.may.set)
    timer.start()
    said = run("remove", "--tag", "t", "--yes")
    timer.join()
    assert "erased: clips in a storage: 1 deleted" in said
    assert not path.exists()


@ON_SQLITE
def test_a_file_whose_row_went_before_is_pending_until_it_is_old_enough(
    settings: Any, tmp_path: Path
) -> None:
    use_storages(settings, tmp_path)
    cache = use(settings, PERSISTENT_DATABASE="audiocache", INLINE_MAX_KB=1, STORAGE="clips")
    cache.put("one", NEIGHBOUR * 200, tags=["t"])
    AudioCacheEntry.objects.all().delete()  # as by a process that was killed before the file went
    [lost] = [name for name in storage_files(tmp_path) if "-" in Path(name).name]
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not all of it is erased yet"):
        call_command("audiocache", "remove", "--tag", "t", "--yes", stdout=out)
    assert "younger than an hour" in out.getvalue()
    os.utime(lost, (time.time() - 3700,) * 2)
    assert "erased: clips in a storage" in run("remove", "--tag", "t", "--yes")
    assert not Path(lost).exists()


def test_the_report_says_what_was_done_and_what_others_have_to_do(
    cache: MultiTierAudioCache, alias: str
) -> None:
    cache.put("one", b"RIFF1", tags=["t"])
    report = json.loads(run("remove", "--tag", "t", "--yes", "--json"))
    states = {step["place"]: step["state"] for step in report["steps"]}
    assert report["entries"] == 1
    assert report["removed"] is True
    assert {states[name] for name in ("memory", "persistent", "distributed")} == {"erased"}
    assert states["the provider"] == states["Redis' own files"] == "not ours"
    if alias == "audiocache":
        assert report["complete"] is True
        assert states["SQLite's file"] == "erased"
    else:
        assert report["complete"] is False
        kept = next(one for one in report["steps"] if one["state"] == "kept")
        assert kept["type"] == "manage.py audiocache scrub"


@ON_SQLITE
def test_a_redis_that_is_away_is_pending_and_hears_of_it_later(
    settings: Any, server: RedisServer
) -> None:
    cache = use(settings, PERSISTENT_DATABASE="audiocache", REDIS_URL=server.url)
    cache.put("one", b"RIFF1", tags=["t"])
    server.pause()
    out = io.StringIO()
    try:
        with pytest.raises(CommandError, match="Not all of it is erased yet"):
            call_command("audiocache", "remove", "--tag", "t", "--yes", stdout=out)
    finally:
        server.resume()
    assert "pending: distributed: does not answer; it is told when it does" in out.getvalue()


def test_erasing_a_text_forgets_its_refused_answers(cache: MultiTierAudioCache, alias: str) -> None:
    subject = Subject()
    subject.speak(cache)
    run("remove", subject.texts[0], "--all-variants", "--yes", "--erase")
    assert not RefusedClip.objects.exists()
    assert cache.get(subject.texts[1], voice="nova") == subject.sounds[2]


@ON_SQLITE
def test_a_removal_that_does_not_erase_leaves_refused_answers(settings: Any) -> None:
    cache = use(settings, PERSISTENT_DATABASE="audiocache")
    subject = Subject()
    subject.speak(cache)
    said = run("remove", "--tag", TAG, "--yes", "--no-erase")
    assert said.endswith("Removed.\n")
    assert RefusedClip.objects.count() == 1
    assert cache.get(subject.texts[0], voice="nova") is None


@ON_SQLITE
def test_an_ordinary_removal_leaves_no_text_in_sqlites_pages(settings: Any) -> None:
    cache = use(settings, PERSISTENT_DATABASE="audiocache")
    text = f"Dear Ottoline {secrets.token_hex(12)}"
    cache.put(text, NEIGHBOUR * 1000)
    run("mend", "wal")
    assert any(text.encode() in raw for raw in database_files("audiocache").values())
    cache.remove(text)
    run("mend", "wal")
    assert not any(text.encode() in raw for raw in database_files("audiocache").values())


def test_without_a_database_a_redis_that_is_away_is_to_be_told_again(
    settings: Any, server: RedisServer
) -> None:
    cache = use(settings, BACKEND="redis", REDIS_URL=server.url)
    cache.put("one", b"RIFF1", tags=["t"])
    server.pause()
    out = io.StringIO()
    try:
        with pytest.raises(CommandError, match="Not all of it is erased yet"):
            call_command("audiocache", "remove", "--tag", "t", "--yes", stdout=out)
    finally:
        server.resume()
    assert "no other tier remembers the removal: run this again" in out.getvalue()
    use(settings, BACKEND="redis", REDIS_URL=server.url)  # as in another process
    assert "erased: distributed" in run("remove", "--tag", "t", "--yes")
    with redis.Redis.from_url(server.url) as client:
        assert not [name for name in client.scan_iter() if b":entry:" in name]


@ON_SQLITE
@pytest.mark.parametrize("shared", [True, False])
def test_other_hosts_files_hear_of_it_by_redis_alone(
    settings: Any, server: RedisServer, shared: bool
) -> None:
    more = {"REDIS_URL": server.url} if shared else {}
    use(settings, PERSISTENT_DATABASE="audiocache", **more).put("one", b"RIFF1", tags=["t"])
    said = run("remove", "--tag", "t", "--yes")
    assert ("files of other hosts: each drops it within a second" in said) is shared
    assert ("type: the same on each of them" in said) is not shared


@ON_SQLITE
def test_keys_can_be_erased(settings: Any) -> None:
    cache = use(settings, PERSISTENT_DATABASE="audiocache")
    subject = Subject()
    run("remove", "--key", cache.put(subject.texts[0], subject.sounds[0]), "--yes", "--erase")
    assert subject.found_in(database_files("audiocache")) == set()


@ON_SQLITE
def test_a_reader_keeps_the_log_and_the_report_says_so(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr("audiocache.own_file.WRITER_SECONDS", 0.05)
    cache = use(settings, PERSISTENT_DATABASE="audiocache")
    cache.put("one", b"RIFF1", tags=["t"])
    reader = sqlite3.connect(connections["audiocache"].settings_dict["NAME"])
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM audiocache_entry").fetchone()
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not all of it is erased yet"):
        call_command("audiocache", "remove", "--tag", "t", "--yes", stdout=out)
    reader.close()
    assert "SQLite's log could not be emptied" in out.getvalue()
    run("scrub", "--yes")


@ON_SQLITE
def test_scrub_refuses_what_the_disk_has_no_room_for(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, PERSISTENT_DATABASE="audiocache").put("one", b"RIFF1")
    monkeypatch.setattr("audiocache.erasing.scrubbing.ROOM", 10**12)
    with pytest.raises(CannotScrub, match="bytes of free disk space"):
        scrub()


def test_without_a_database_there_is_nothing_to_scrub(settings: Any) -> None:
    use(settings, BACKEND="memory").put("one", b"RIFF1", tags=["t"])
    with pytest.raises(CommandError, match="no database tier"):
        run("scrub", "--yes")
    assert "erased: memory" in run("remove", "--tag", "t", "--yes")


def test_json_is_the_report_of_an_erasure(settings: Any) -> None:
    use(settings, BACKEND="memory")
    with pytest.raises(CommandError, match="--json prints the report of --erase"):
        run("remove", "text", "--yes", "--json")


def test_without_texts_no_file_has_one(
    settings: Any, alias: str, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cache = use(settings, PERSISTENT_DATABASE=alias, REDIS_URL=server.url, STORE_TEXT=False)
    text = f"Dear Ottoline {secrets.token_hex(12)}"
    cache.put(text, NEIGHBOUR, voice="nova", tags=["t"])
    refuse(cache.config, text, b"RIFF")
    assert cache.get(text, voice="nova") == NEIGHBOUR
    cache.flush()
    files = database_files(alias) | dump(server) | {"log": caplog.text.encode()}
    assert [name for name, raw in files.items() if text.encode() in raw] == []
    assert any(NEIGHBOUR in raw for raw in files.values()), "the sound is there to be seen"


EVERYWHERE = ("--all-variants", "--erase", "--yes")


class TestNamespaces:
    """A text may lie in those of others, too: the right to erasure knows none."""

    WHERE = ("", "key-7", "key-8")

    @pytest.fixture
    def text(self, cache: MultiTierAudioCache) -> str:
        text = "Hello Mr Grimthorpe today."
        for namespace in self.WHERE:
            cache.put(text, b"RIFF" + namespace.encode(), namespace=namespace, voice="nova")
        cache.put("Keep me", b"RIFF kept", namespace="key-7")
        row = self._refused(cache, text)
        assert row.namespace == "key-9"
        return text

    def _refused(self, cache: MultiTierAudioCache, text: str) -> Any:
        refuse(cache.config, text, b"no sound")
        row = RefusedClip.objects.using(cache.config.persistent_database).get()
        row.namespace = "key-9"
        row.save(using=cache.config.persistent_database)
        return row

    def held(self, cache: MultiTierAudioCache, text: str) -> set[str]:
        return {one for one in self.WHERE if cache.get(text, namespace=one, voice="nova")}

    def test_an_erasure_of_a_text_is_one_in_all(
        self, cache: MultiTierAudioCache, text: str
    ) -> None:
        told = json.loads(run("remove", text, "--all-variants", "--erase", "--yes", "--json"))
        assert self.held(cache, text) == set()
        assert not RefusedClip.objects.using(cache.config.persistent_database).exists()
        assert cache.get("Keep me", namespace="key-7") == b"RIFF kept"
        assert told["entries"] == 3
        [step] = [step for step in told["steps"] if step["place"] == "namespaces"]
        assert (step["state"], "all 4 " in step["told"]) == ("erased", True)

    def test_one_that_redis_alone_knows_is_found(
        self, cache: MultiTierAudioCache, text: str
    ) -> None:
        """Its rows were evicted long ago, and nothing was paid for it."""
        rows = AudioCacheEntry.objects.using(cache.config.persistent_database)
        rows.filter(namespace__in=["key-7", "key-8"]).delete()
        cache.tiers["memory"].clear()
        told = json.loads(run("remove", text, "--all-variants", "--erase", "--yes", "--json"))
        assert self.held(cache, text) == set()
        assert cache.get("Keep me", namespace="key-7") == b"RIFF kept"
        [step] = [step for step in told["steps"] if step["place"] == "namespaces"]
        assert (step["state"], "2 that Redis alone" in step["told"]) == ("erased", True)

    def test_a_redis_that_does_not_answer_may_know_more(
        self, text: str, server: RedisServer
    ) -> None:
        server.pause()
        out = io.StringIO()
        try:
            with pytest.raises(CommandError):
                call_command("audiocache", "remove", text, *EVERYWHERE, stdout=out)
        finally:
            server.resume()
        assert "pending: namespaces: in the 4 that the database knows" in out.getvalue()

    def test_one_that_is_named_is_the_only_one(self, cache: MultiTierAudioCache, text: str) -> None:
        run("remove", text, "--all-variants", "--erase", "--yes", "--namespace", "key-7")
        assert self.held(cache, text) == {"", "key-8"}
        run("remove", text, "--all-variants", "--yes")
        assert self.held(cache, text) == {"key-8"}

    def test_redis_knows_them_without_a_database(self, settings: Any, server: RedisServer) -> None:
        cache = use(settings, BACKEND="redis", REDIS_URL=server.url, REDIS_PREFIX="a[b]*?")
        cache.put("Hello", b"RIFF1", namespace="key-7")
        cache.put("Hello there", b"RIFF2", namespace="key-7")
        told = json.loads(run("remove", "Hello", *EVERYWHERE, "--json"))
        assert told["complete"] is True
        with redis.Redis.from_url(server.url) as client:
            assert len([name for name in client.scan_iter() if b":entry:" in name]) == 1

    def test_without_a_database_it_says_what_nobody_knows(self, settings: Any) -> None:
        use(settings, BACKEND="memory")
        told = json.loads(run("remove", "Hello", "--all-variants", "--erase", "--yes", "--json"))
        assert told["complete"] is False
        assert [s["place"] for s in told["steps"] if s["state"] == "kept"] == ["namespaces"]


def test_a_refused_answer_of_which_there_is_no_entry_goes_with_its_tag(
    cache: MultiTierAudioCache, alias: str
) -> None:
    subject = Subject()
    refuse(cache.config, subject.texts[0], subject.sounds[0], "other", TAG)
    refuse(cache.config, "somebody else", NEIGHBOUR, f"{TAG} II", "other")
    assert subject.found_in(database_files(alias)) != set()
    said = json.loads(run("remove", "--tag", TAG, "--yes", "--json"))
    steps = {step["place"]: step["told"] for step in said["steps"]}
    assert steps["refused answers"] == "1 forgotten, with their bytes"
    run("scrub", "--yes")
    [left] = RefusedClip.objects.all()
    assert left.text == "somebody else"
    left.delete()  # whose tag begins with the subject's
    run("scrub", "--yes")
    assert subject.found_in(database_files(alias)) == set()
